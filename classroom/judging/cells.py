"""Run a notebook's cells as Jupyter runs them: magics, shell lines, top-level await, ``display``.

It is IPython's own shell with what would hang, leave the box or need a frontend taken out. A
statement that fails is passed over and named, because in a student's Jupyter it may well work: it
may read what only the whole notebook has.
"""

from __future__ import annotations

import ast
import asyncio
import bdb
import builtins
import inspect
import os
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.utils.capture import capture_output
from IPython.utils.process import getoutput
from IPython.utils.text import SList
from traitlets.config import Config

__all__ = ["Failure", "Shell", "definitions"]

# [kind, text, whether it is the stub's own error, line of the cell]
Failure = list[Any]

# Line magics that set up a frontend or another machine, or wait for a person.
LEFT_OUT = """
autoreload autosave cd conda config debug load load_ext mamba matplotlib pdb pip pylab
    reload_ext reset reset_selective store tensorboard uv xmode"""
NOTHING = frozenset(LEFT_OUT.split())
NO_PYTHON = """
! HTML R SVG bash cmd cython html javascript js latex markdown perl pypy python2 ruby script
    sh sql svg sx system"""
OTHER_LANGUAGES = frozenset(NO_PYTHON.split())
INSTALLERS = ("apt", "conda", "curl", "gdown", "git ", "mamba", "pip", "sudo", "uv ", "wget")
MOST_FAILURES = 3
SHELL_SECONDS = 5


class Shell(InteractiveShell):
    """IPython's shell in one namespace, without a terminal, a history or tracebacks.

    Parameters
    ----------
    module
        The ``__main__`` in which cells run.
    """

    def __init__(self, module: types.ModuleType) -> None:
        config = Config()
        config.HistoryManager.enabled = False
        self.failures: list[Failure] = []
        super().__init__(
            config=config,
            user_module=module,
            user_ns=module.__dict__,
            ipython_dir=tempfile.mkdtemp(),
        )
        about: Any = InteractiveShell
        about._instance = self  # what get_ipython() and display() look for
        self.loop: asyncio.AbstractEventLoop | None = None
        about = builtins
        about.get_ipython, about.display = lambda: self, display
        about.input = lambda *_: ""
        # Nobody sits there to debug: a forgotten breakpoint() goes on.
        about = bdb.Bdb
        sys.breakpointhook = about.set_trace = lambda *_, **__: None
        # A compiled answer is the same function, sooner: here it runs as it was written.
        torch.compile = _as_it_is  # type: ignore[assignment]

    def execute(self, source: str, namespace: dict[str, Any] | None = None) -> list[Failure]:
        """Run one cell, every statement of it; return what failed first, in order."""
        self.failures = []
        self._run(source, self.user_ns if namespace is None else namespace)
        return self.failures

    def _run(self, source: str, space: dict[str, Any], above: int = 0) -> None:
        """Run the statements of a cell, or of a cell magic's body with ``above`` lines before."""
        try:
            text = self.transform_cell(source)
            name = self.compile.cache(text, raw_code=source)
            tree = ast.increment_lineno(ast.parse(text, name), above)
        except BaseException as error:
            self._note(error)
            return
        for node in tree.body:
            try:
                self._statement(node, name, space)
            except BaseException as error:
                self._note(error)

    def _note(self, error: BaseException) -> None:
        if len(self.failures) < MOST_FAILURES:
            self.failures.append(_failure(error))

    def _statement(self, node: ast.stmt, name: str, space: dict[str, Any]) -> None:
        flags = self.compile.flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile(ast.Module([node], []), name, "exec", flags, dont_inherit=True)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            self.compile.flags |= code.co_flags & self._futures
        if not code.co_flags & inspect.CO_COROUTINE:
            exec(code, space)
            return
        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(eval(code, space))

    @property
    def _futures(self) -> int:
        import __future__

        names = __future__.all_feature_names
        return sum({getattr(__future__, n).compiler_flag for n in names} - {0x10})

    # ------------------------------------------------------------------ magics and the system

    def run_line_magic(self, magic_name: str, line: str, _stack_depth: int = 1) -> Any:
        """Run a line magic; one that there is not here, or that needs a frontend, does nothing."""
        if magic_name in NOTHING:
            return None
        if magic_name == "timeit":
            line = f"-n 1 -r 1 {line}"
        try:
            return super().run_line_magic(magic_name, line, _stack_depth + 1)
        except UsageError:
            return None

    def run_cell_magic(self, magic_name: str, line: str, cell: str) -> Any:
        """Run a cell magic: files are written, other languages left out, Python is run."""
        if magic_name in OTHER_LANGUAGES:
            return None
        if magic_name in ("writefile", "file"):
            return super().run_cell_magic(magic_name, line, cell)
        with capture_output() as captured:
            words = [w for w in line.split() if not w.startswith("-")]
            if magic_name == "capture" and words:
                self.user_ns[words[0]] = captured
            self._run(cell, self.user_ns, above=1)
        return None

    def system(self, cmd: str) -> None:
        """Run a shell command for a few seconds; installers and downloads do nothing."""
        self.getoutput(cmd)

    system_raw = system_piped = system

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> Any:
        """Return what a shell command prints, as a list of lines or one text."""
        command = self.var_expand(cmd, depth=depth + 2).strip()
        silent = command.startswith(INSTALLERS)
        text = "" if silent else getoutput(f"timeout {SHELL_SECONDS} sh -c {_quoted(command)}")
        return SList(text.splitlines()) if split else text

    def enable_gui(self, gui: str | None = None) -> None:
        """There is no window here."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        """Errors are returned, not shown."""


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _as_it_is(model: Any = None, **_: Any) -> Any:
    return (lambda function: function) if model is None else model


def _failure(error: BaseException) -> Failure:
    try:
        text = " ".join(str(error).split())[:1000]
    except BaseException:
        text = ""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith("<ipython-input"):
            line = trace.tb_lineno
        trace = trace.tb_next
    return [type(error).__name__, text, isinstance(error, NotImplementedError), line]


def definitions(source: str, transform: Callable[[str], str]) -> str:
    """Imports, functions and classes of a cell, alone; of a cell magic, those of its body."""
    lines = source.lstrip().splitlines(keepends=True)
    if lines and lines[0].startswith("%%"):
        source = "".join(lines[1:])
    try:
        tree = ast.parse(transform(source))
    except Exception:
        return ""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
    tree.body = [node for node in tree.body if isinstance(node, kinds)]
    return ast.unparse(tree)


def home() -> None:
    """Let cells import what they write, as Jupyter does: the working folder comes first."""
    sys.path.insert(0, os.getcwd())
