"""Notebooks of honest students: right answers in all styles, with Jupyter's habits around them."""

import copy
import random

import nbformat
from course import NAME, ROOT

from classroom.authoring.preprocessors import cleared
from classroom.authoring.source import read_source

ANSWERS = ROOT / "tests" / "answers" / NAME
SOURCE = read_source(ROOT, NAME)


def filled(answers, added=()):
    """Fill the model solution with other answers; ``added`` cells come first."""
    notebook = copy.deepcopy(SOURCE.notebook)
    for cell in notebook.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id")
        if key in answers:
            cell.source = answers[key]
    notebook.cells[3:3] = [nbformat.v4.new_code_cell(text) for text in added]
    return notebook


def release():
    return cleared(SOURCE.notebook)


def right(exercise):
    return sorted((ANSWERS / exercise).glob("right_*.py"))


OWN = [  # cells of their own, as students write them in Jupyter
    "torch.manual_seed(3)\nx = torch.randn(2, 3)\nprint(x)",
    "torch.set_default_dtype(torch.float32)\nnp.random.seed(0)",
    "import warnings\nwarnings.filterwarnings('ignore')\nplt.plot([1, 2]); plt.show()",
    "assert 1 == 2, 'a cell that fails'",
    "torch.set_grad_enabled(False)\nF = torch.nn.functional",
    "device = torch.device('cpu')\nB, T, D = 2, 5, 8\n%timeit 1 + 1",
    "def show(x): display(x)\nscaled_dot_product_attention = None",
    "print('checks passed' * 100)\nfor i in range(3): checks",
    "files = !ls\n!pip install -q einops\n%config InlineBackend.figure_format = 'retina'",
    "%load_ext autoreload\n%autoreload 2\nif True:\n    %matplotlib inline",
    "%%writefile my_helpers.py\ndef twice(x):\n    return 2 * x",
    "import asyncio\nawait asyncio.sleep(0)\nfrom tqdm.auto import tqdm",
    "length = len(train_notes.lengths)\nD_MODEL, VOCABULARY[:3]",
    "get_ipython().run_line_magic('timeit', '1 + 1')\ndisplay(torch.eye(2))",
    "%%bash\nls -l",
    "from google.colab import drive\ndrive.mount('/content/drive')",
]
AROUND = [  # what stands before and after an answer in its own cell
    ("", ""),
    ("%%time\n", ""),
    ("", "\nassert False, 'a test of mine'"),
    ("", "\ndisplay(train_notes)"),
    ("%%capture out\n", ""),
    ("notes = train_notes.token_ids[:2]\n", "\nprint(notes.shape)"),
    ("%matplotlib inline\nfound = !ls\n", "\nplt.imshow(torch.eye(3)); plt.show()"),
    ("", "\n%timeit -n 2 1 + 1\nget_ipython().system('ls')"),
    ("", "\nbreakpoint()\nimport pdb; pdb.set_trace()\nmasked_mean_pool??\nimport sys; sys.exit()"),
    ("#@title My answer\r\n", "\r\n%time 1 + 1\n%prun -q 1 + 1"),
    ("SEED, D_MODEL\n", "\nawait asyncio.sleep(0)"),
    ("%%time\n" + "print(train_notes.lengths)\n" * 5, "\nassert False"),
]


def honest_notebooks(count):
    """Notebooks of right answers in all styles and of Jupyter's habits, with own cells."""
    pick = random.Random(20)
    for number in range(count):
        answers = {e: pick.choice(right(e)).read_text("utf-8") for e in SOURCE.exercises}
        for place, (name, text) in enumerate(answers.items()):
            before, after = AROUND[(number + place) % len(AROUND)]
            answers[name] = before + text + after
        yield filled(answers, [OWN[number % len(OWN)]])
