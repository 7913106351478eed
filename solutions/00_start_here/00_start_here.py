# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 Start here
#
# This notebook gets you ready for the course *Attention in medicine*: it looks at the machine you are on, explains in two minutes how the
# exercises work, and warms up with three one-line functions. Nothing here is graded.
#
# | part | minutes |
# | --- | --- |
# | 1 Your machine | 1 |
# | 2 How it works: exercises, checks, hints, points | 2 |
# | 3 Saving and handing in | 2 |
# | 4-6 Three warm-ups: broadcasting, a masked softmax, dot products | 8 |
# | 7 Where you stand | 1 |
#
# **About 15 minutes; running it takes a few seconds of computing.** You need to read a little Python; PyTorch is explained as it comes. A *tensor* is an array of numbers, and its
# *shape*, say `(T, S)`, is its list of sizes. The letters mean the same everywhere in the course:
#
# | letter | stands for | letter | stands for |
# | --- | --- | --- | --- |
# | B | notes, films or patients in a batch | H | attention heads |
# | T | positions that ask (queries) | C | classes |
# | S | positions that are asked (keys) | N | patches of an image |
# | D | width of the model (features) | V | words in the vocabulary |

# %% tags=["install"]
# install cell

# %% tags=["imports"]
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from course_utils import checks, doctor, plots, training

DEVICE = training.pick_device()
plots.use_style()
checks.setup()

# %% [markdown]
# ## 1 Your machine
#
# Run the cell with Shift+Enter. Everything in the course runs on an ordinary processor (CPU); where there is a graphics processor (GPU), the same code uses it. On Colab you
# choose one under *Runtime → Change runtime type*.

# %%
doctor.report()
print("device ", training.describe_device(DEVICE))

# %% [markdown]
# Each line is a finding: *ok*, *note* (the course works all the same), or *missing*, with what to do about it. Run the cell again after you have mended something.

# %% [markdown]
# ## 2 How it works
#
# Every exercise has the same parts, in this order:
#
# 1. **Why**: a few sentences and one formula.
# 2. **A box** with points, minutes and difficulty, and what to build, with all shapes. What is not forbidden there is allowed, in any style: loops, `einsum`, built-in functions.
#    Two rules hold in every box without being said: what your function is given stays as it was (work on copies, never in place on an argument), and results keep the dtype of
#    the first tensor, unless the box says otherwise.
# 3. **The stub**: a function whose body is one line, `raise NotImplementedError(...)`. Replace that line.
# 4. **The check**, in the cell below. Run it as often as you like; it costs nothing. It says one of three things:
#    - *not attempted*: the stub is still there;
#    - *not right yet*: what came, what was expected and where, and the common mistake it looks like;
#    - *right*, and what was verified.
# 5. **Three hints**, closed until you click: a nudge, a push, and nearly all of it.
# 6. **A cell that uses your function** and shows something.
#
# An exercise that you skip stops nothing: later cells use the course's own versions, and those few that need yours say which one is missing. *Run all* always goes through, and the last cell of a notebook
# shows where you stand.
#
# **Points.** The number in the box. Some larger exercises are scored in parts, each with its own check cell: what is right counts. After you hand in, your answer is also run on *further cases*: other shapes, numbers,
# edge cases that the text names; nothing that the text does not say. What your code prints, how fast or how elegant it is costs no points. If an exercise builds on an earlier one of yours that has a mistake,
# it is judged once with yours and once with a right one, and the better result counts: one mistake is paid for once (*follow-through marks*).
#
# **Written answers** are cells of text that say *YOUR ANSWER HERE*. A person reads them. A few sentences with a reason and a number from your notebook are worth more than a page.

# %% [markdown]
# ## 3 Saving and handing in
#
# **On Colab** open the notebook and choose *File → Save a copy in Drive* first: otherwise your work ends with the session. The first code cell adds what Colab lacks. When you are
# done: *Runtime → Restart session and run all*, look at the table at the end, *File → Download → Download .ipynb*, and hand in that file.
#
# **On your own computer** the notebook saves itself every few minutes, and with Ctrl+S. When you are done: *Kernel → Restart Kernel and Run All Cells*, save, and hand in the `.ipynb`.
#
# Three things keep the grading smooth. Write your answer in the cell with the stub, and leave the check cells as they are. Add as many cells of your own as you like. And do not mind the file name: *Copy of
# 01_self_attention (1).ipynb* is fine, and if you hand in twice the later one counts.

# %% [markdown]
# ## 4 Warm-up 1: sums of all pairs
#
# Tensors of different shapes can be added when their sizes, lined up **from the right**, are equal or 1: a size of 1 is stretched. That is
# *broadcasting*, and it replaces most loops in this course: masks, positions and scores all live on it.
#
# $$\text{out}[t, s] = \text{rows}[t] + \text{columns}[s]$$
#
# > **Exercise `broadcast_add`** · 0 points · 2 minutes · difficulty 1 of 5
#
# Write a function of `rows (T,)` and `columns (S,)` that returns the table of all sums, `(T, S)`.


# %% nbgrader={"grade": false, "grade_id": "broadcast_add", "locked": false, "schema_version": 3, "solution": true, "task": false}
def broadcast_add(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Sums of all pairs.  rows (T,), columns (S,) -> (T, S)."""
    ### BEGIN SOLUTION
    return rows[:, None] + columns[None, :]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "broadcast_add_check", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
checks.start_here.broadcast_add(broadcast_add)
### BEGIN HIDDEN TESTS
with checks.hidden("broadcast_add"):
    look = checks.start_here
    for dtype in (torch.float32, torch.float64):
        for t, s in ((1, 1), (4, 4), (5, 2), (1, 6), (7, 1)):
            rows, columns = look.draw(t, seed=30, dtype=dtype), look.draw(s, seed=31, dtype=dtype)
            look.compare_sums(broadcast_add, rows, columns)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `rows` has to become a column, `(T, 1)`: then it lines up with `(1, S)`, or with `(S,)` alone.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# Indexing with `None` adds a dimension of size 1: `rows[:, None]` is `(T, 1)`. `rows.unsqueeze(1)` does the same.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# `rows[:, None] + ...`
#
# </details>

# %% tags=["needs-answer"]
print(broadcast_add(torch.tensor([0.0, 10.0, 20.0]), torch.tensor([1.0, 2.0, 3.0, 4.0])))

# %% [markdown]
# ## 5 Warm-up 2: a softmax that leaves things out
#
# A softmax turns scores into shares that sum to one. Attention needs one that can leave entries out: words that are only padding, or that come later. A
# **mask** says which. In this whole course a mask is boolean and **True = keep** (may attend, is a real token).
#
# $$w_s = \frac{m_s\, e^{z_s}}{\sum_{s'} m_{s'}\, e^{z_{s'}}}, \qquad m_s = 1 \text{ where the mask is True, else } 0$$
#
# > **Exercise `masked_softmax`** · 0 points · 4 minutes · difficulty 2 of 5
#
# Write a function of `scores (..., S)` and `mask`, boolean of the same shape, that returns weights of that shape:
#
# - each row sums to one over the entries that are kept, however low their scores; the others are 0;
# - a row with nothing to keep is all **zero**, never NaN;
# - gradients flow back to the scores, finite for such a row too.


# %% nbgrader={"grade": false, "grade_id": "masked_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_softmax(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Softmax over the last dimension, where mask is True.  (..., S), (..., S) -> (..., S)."""
    ### BEGIN SOLUTION
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, lowest).softmax(dim=-1)
    return weights.masked_fill(~mask, 0.0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "masked_softmax_check", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
checks.start_here.masked_softmax(masked_softmax)
### BEGIN HIDDEN TESTS
with checks.hidden("masked_softmax"):
    look = checks.start_here
    for dtype in (torch.float32, torch.float64):
        for shape in ((6,), (1, 1), (3, 4), (2, 3, 2, 5)):
            scores = 3 * look.draw(*shape, seed=40, dtype=dtype)
            chance = torch.rand(*shape, generator=look.numbers(41))
            for share in (0.5, 0.0, 1.0):
                look.compare_softmax(masked_softmax, scores, chance < share)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Masked scores must become so low that their exponential is 0, *before* the softmax: `scores.masked_fill(~mask, ...)`. The version without an underscore at the end makes a copy.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# With minus infinity a row without any entry is 0/0 = NaN. With a very large negative number it is even shares instead. Both are put right by setting masked weights to 0 afterwards.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# ```python
# weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
# return weights.masked_fill(...)
# ```
#
# </details>

# %% tags=["needs-answer"]
scores = torch.linspace(0, 2, 6).expand(4, 6)  # the same six scores in every row
mask = torch.ones(4, 6, dtype=torch.bool).tril(2)  # each row may see one entry more
mask[2] = False
figure, ax = plt.subplots(figsize=(7, 3))
plots.heat_map(
    masked_softmax(scores, mask).numpy(),
    rows=["sees 3", "sees 4", "sees none", "sees all"],
    columns=[str(s) for s in range(6)],
    title="Four masked softmax rows over the same six scores",
    ylabel="row",
    xlabel="entry",
    colorbar="weight",
    annotate=True,
    ax=ax,
)
plt.show()

# %% [markdown]
# *Each row shares out a total of one among the entries it may see, the higher scores getting more. The third row sees nothing and stays empty.*

# %% [markdown]
# ## 6 Warm-up 3: every vector meets every vector
#
# A matrix product is a table of dot products: entry $(t, s)$ is row $t$ of the first with column $s$ of the second. With a third dimension in front PyTorch does one such table
# per batch entry, all at once. This single line is the heart of attention.
#
# $$\text{out}[b, t, s] = \sum_d a[b, t, d]\; b[b, s, d]$$
#
# > **Exercise `batched_dot`** · 0 points · 2 minutes · difficulty 1 of 5
#
# Write a function of `a (B, T, D)` and `b (B, S, D)` that returns all dot products, `(B, T, S)`.


# %% nbgrader={"grade": false, "grade_id": "batched_dot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batched_dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Dot products of all pairs of vectors.  a (B, T, D), b (B, S, D) -> (B, T, S)."""
    ### BEGIN SOLUTION
    return a @ b.transpose(1, 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "batched_dot_check", "locked": true, "points": 0, "schema_version": 3, "solution": false, "task": false}
checks.start_here.batched_dot(batched_dot)
### BEGIN HIDDEN TESTS
with checks.hidden("batched_dot"):
    look = checks.start_here
    for dtype in (torch.float32, torch.float64):
        for n, t, s, d in ((1, 1, 1, 1), (3, 3, 3, 3), (2, 4, 1, 5), (4, 2, 6, 2), (1, 3, 2, 8)):
            a, b = (
                look.draw(n, t, d, seed=50, dtype=dtype),
                look.draw(n, s, d, seed=51, dtype=dtype),
            )
            look.compare_dot(batched_dot, a, b)
### END HIDDEN TESTS

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `@` multiplies the last two dimensions and runs over those in front. For `(B, T, D) @ ...` to give `(B, T, S)`, the second factor must be `(B, D, S)`.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `b.transpose(1, 2)` swaps two dimensions; `reshape` would only cut the same numbers differently. `torch.einsum("btd,bsd->bts", a, b)` says it in letters.
#
# </details>
#
# <details><summary>Hint 3: nearly all of it</summary>
#
# `a @ b.transpose(...)`
#
# </details>

# %% tags=["needs-answer"]
vectors = F.normalize(torch.tensor([[[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 0.0]]]), dim=-1)
figure, ax = plt.subplots(figsize=(6, 3.5))
plots.heat_map(
    batched_dot(vectors, vectors)[0].numpy(),
    rows=["right", "up right", "up", "left"],
    columns=["right", "up right", "up", "left"],
    title="Dot products of four unit vectors",
    ylabel="vector a",
    xlabel="vector b",
    colorbar="dot product",
    vmin=-1,
    vmax=1,
    cmap="vlag",
    annotate=True,
    ax=ax,
)
plt.show()

# %% [markdown]
# *A dot product is largest for vectors that point the same way, zero at a right angle, and negative when they point apart. Attention uses it to measure how well a question and a label fit.*

# %% [markdown]
# ## 7 Where you stand
#
# Every notebook ends with this table. It runs the visible checks on the functions you have defined.

# %%
checks.start_here.summary(globals())

# %% [markdown]
# ## What you have learned
#
# - Shapes line up from the right, and a size of 1 stretches: `rows[:, None] + columns`.
# - A mask belongs *before* the softmax; True = keep; a row without anything to keep is zero.
# - `a @ b.transpose(1, 2)` compares every vector of `a` with every vector of `b`.
#
# Put the three together, dot products, a mask, a softmax, and you have nearly written attention. Notebook 01 does it, on clinical notes that deny as much as they claim.
#
# **To read on**: the PyTorch documentation on broadcasting semantics; Harris et al., *Array programming with NumPy*, Nature 2020.
