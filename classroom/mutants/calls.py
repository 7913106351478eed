"""Edits of calls and attributes: other functions, dropped, swapped and missing arguments."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

from classroom.mutants.edits import Edit, Place, call_name, short, words

__all__ = ["attribute_edits", "call_edits"]


def _table(text: str) -> dict[str, list[str]]:
    return {row.split()[0]: row.split()[1:] for row in text.strip().splitlines()}


RENAME = _table("""
min max
max min
amin amax
amax amin
sum mean
mean sum median
median mean
any all
all any
argmax argmin
argmin argmax
minimum maximum
maximum minimum
fmin fmax
sin cos
cos sin
log log2 log1p
log2 log
exp exp2
exp2 exp
sqrt abs
hstack vstack
zeros ones
zeros_like ones_like
ones zeros
new_zeros new_ones
new_ones new_zeros
softmax log_softmax sigmoid
log_softmax softmax
flatnonzero nonzero
round int
search match
fullmatch match
reshape view
view reshape
tril triu
triu tril
cumsum cumprod
expit logit
std var
clamp_min clamp_max
clamp_max clamp_min
softplus relu
randn zeros rand
rand randn
ptp max
xlogy mul
unique sort
sosfiltfilt sosfilt
float64 float32
float32 float64 float16
int64 int32
GELU Identity
ReLU Identity
item detach
argsort sort
stack cat
rankdata argsort
randperm arange
permutation arange
fit fit_transform
transform fit_transform
GroupShuffleSplit ShuffleSplit
StandardScaler MinMaxScaler
LogisticRegression DecisionTreeClassifier
sigmoid tanh
tanh sigmoid
normal_ uniform_
double float
eval train
train eval
no_grad enable_grad
inference_mode enable_grad
clip_grad_norm_ clip_grad_value_
lower upper
strip lstrip
nanmean mean
nansum sum
percentile quantile
""")
DROPPED = words(
    "detach clone contiguous float double to cpu bool abs clamp clamp_min clamp_max masked_fill "
    "copy astype exp log squeeze unsqueeze item tolist numpy mean sum softmax expand expand_as "
    "repeat transpose reindex permute flatten max min any all median difference long type reshape "
    "isin sort_index sort_values lower upper strip reset_index fillna view unflatten cumsum T mT "
    "type_as nan_to_num tril triu set_index rename drop dropna unbind chunk reversed"
)
UNWRAPPED = words(
    "float list int bool tuple sorted asarray abs sqrt detrend normalize as_tensor round array max "
    "min unique clip diff maximum minimum logit expit escape sort len str set sigmoid astype log "
    "exp mean reversed deepcopy copy relu softplus nan_to_num zip enumerate atleast_1d tensor "
    "from_numpy dict iter"
)
INPLACE = words(
    "masked_fill clamp clamp_min clamp_max exp abs log add mul sub div softmax neg transpose "
    "squeeze unsqueeze sigmoid sqrt tril triu scatter index_fill"
)


def attribute_edits(node: ast.Attribute, place: Place) -> Iterator[Edit]:
    """Yield another function of the same module, or the version that works in place."""
    if isinstance(node.ctx, ast.Store):
        return
    if node.attr in ("T", "mT"):
        yield Edit("drop method", f"{short(node)} → {short(node.value)}", copy.deepcopy(node.value))
    for name in RENAME.get(node.attr, []):
        new = ast.Attribute(copy.deepcopy(node.value), name, node.ctx)
        yield Edit("rename", f"{short(node)} → .{name}", new)
    if node.attr in INPLACE and place.name == "func":
        new = ast.Attribute(copy.deepcopy(node.value), node.attr + "_", node.ctx)
        yield Edit("in place", f"{short(node)} → .{node.attr}_", new)


def call_edits(node: ast.Call, place: Place) -> Iterator[Edit]:
    """Yield what can go wrong in a call."""
    name = call_name(node)
    if isinstance(node.func, ast.Name):
        for other in RENAME.get(name, []):
            new = copy.deepcopy(node)
            new.func = ast.Name(other, ast.Load())
            yield Edit("rename", f"{name} → {other}", new)
    yield from _arguments(node, name)
    yield from _around(node, name)
    yield from _added(node, name)


def _arguments(node: ast.Call, name: str) -> Iterator[Edit]:
    symmetric = name in ("max", "min", "maximum", "minimum", "allclose", "isclose")
    for first in range(len(node.args) - 1):
        pair = node.args[first : first + 2]
        if symmetric or any(isinstance(a, ast.Starred) for a in pair):
            continue
        new = copy.deepcopy(node)
        new.args[first], new.args[first + 1] = new.args[first + 1], new.args[first]
        yield Edit("swap arguments", f"{short(node)} → {short(new)}", new)
    for i, keyword in enumerate(node.keywords):
        new = copy.deepcopy(node)
        del new.keywords[i]
        yield Edit("drop keyword", f"{name}(…) without {short(keyword)}", new)
    for i in range(len(node.args) if len(node.args) > 1 else 0):
        new = copy.deepcopy(node)
        del new.args[i]
        yield Edit("drop argument", f"{short(node)} → {short(new)}", new)
    if len(node.args) == 1 and isinstance(node.func, ast.Attribute) and not node.keywords:
        new = ast.Call(copy.deepcopy(node.func), [], [])
        yield Edit("drop argument", f"{short(node)} → {short(new)}", new)


def _around(node: ast.Call, name: str) -> Iterator[Edit]:
    """The call taken away: the object of a method, the argument of a function."""
    if isinstance(node.func, ast.Attribute) and name in DROPPED:
        value = node.func.value
        yield Edit("drop method", f"{short(node)} → {short(value)}", copy.deepcopy(value))
    method = isinstance(node.func, ast.Attribute) and not isinstance(node.func.value, ast.Name)
    if name in UNWRAPPED and not method:
        for argument in node.args[: 2 if name.startswith(("max", "min")) else 1]:
            if not isinstance(argument, ast.GeneratorExp | ast.Starred):
                what = f"{short(node)} → {short(argument)}"
                yield Edit("unwrap", what, copy.deepcopy(argument))


ADDED: list[tuple[str, str, bool | int | str, str]] = [  # function, keyword, value, operator
    ("topk", "largest", False, "sorting"),
    ("topk", "sorted", False, "sorting"),
    ("sorted", "reverse", True, "sorting"),
    ("argsort", "descending", True, "sorting"),
    ("sort", "descending", True, "sorting"),
    ("sort_values", "ascending", False, "sorting"),
    ("std", "ddof", 1, "constant"),
    ("var", "ddof", 1, "constant"),
    ("Linear", "bias", False, "flag"),
    ("cross_entropy", "reduction", "sum", "flag"),
    ("LayerNorm", "elementwise_affine", False, "flag"),
]


def _added(node: ast.Call, name: str) -> Iterator[Edit]:
    for function, keyword, value, operator in ADDED:
        if name == function and not any(k.arg == keyword for k in node.keywords):
            new = copy.deepcopy(node)
            new.keywords.append(ast.keyword(keyword, ast.Constant(value)))
            yield Edit(operator, f"{name}(…, {keyword}={value!r})", new)
    if name == "ValueError":
        new = copy.deepcopy(node)
        new.func = ast.Name("RuntimeError", ast.Load())
        yield Edit("exception", "ValueError → RuntimeError", new)
