"""The training loop: resuming, checkpoints, buckets, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import _checkpoints, training

N, D = 48, 5


class Net(nn.Module):
    """A linear map behind dropout, so that resuming needs the random state too."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(D, 8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)[:, 0]


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(N, D, generator=g)
    return x, (x.sum(1) > 0).float()


def make_fit(data, **options):
    x, y = data
    torch.manual_seed(3)
    model = Net()

    def batches(epoch: int):
        g = torch.Generator().manual_seed(epoch)
        return [(x[i], y[i]) for i in torch.randperm(N, generator=g).split(16)]

    def step_loss(model, batch):
        loss = nn.functional.binary_cross_entropy_with_logits(model(batch[0]), batch[1])
        return {"loss": loss, "size": torch.tensor(float(len(batch[1])))}

    def validate(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        return {"val_accuracy": ((model(x) > 0) == y.bool()).float().mean()}

    settings = {
        "epochs": 4,
        "lr": 0.05,
        "validate": validate,
        "show_progress": False,
    } | options
    return model, training.fit(model, batches, step_loss, **settings)


def test_history_has_a_row_per_epoch_and_the_loss_falls(data, capsys):
    _, history = make_fit(data, epochs=12, show_progress=True)
    assert list(history.columns) == [
        "epoch",
        "loss",
        "size",
        "val_accuracy",
        "cpu_seconds",
    ]
    assert history.epoch.tolist() == list(range(1, 13))
    assert history["size"].eq(16).all()
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    assert history.cpu_seconds.is_monotonic_increasing
    captured = capsys.readouterr()
    assert "training" in captured.out
    assert captured.err == ""


def test_resumed_run_gives_the_curve_and_weights_of_an_uninterrupted_one(data, tmp_path):
    whole, expected = make_fit(data, monitor="+val_accuracy", folder=tmp_path / "whole")

    def stop(step, model, batch):
        if step == 8:  # in the third of four epochs
            raise KeyboardInterrupt

    options = {"monitor": "+val_accuracy", "folder": tmp_path / "cut"}
    with pytest.raises(KeyboardInterrupt):
        make_fit(data, on_batch=stop, **options)
    model, resumed = make_fit(data, resume=True, **options)
    assert resumed.drop(columns="cpu_seconds").equals(expected.drop(columns="cpu_seconds"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])
    _, again = make_fit(data, resume=True, **options)
    assert again.loss.tolist() == expected.loss.tolist()


def test_resume_refuses_a_run_of_other_length(data, tmp_path):
    make_fit(data, folder=tmp_path)
    with pytest.raises(ValueError, match="epochs=4"):
        make_fit(data, folder=tmp_path, epochs=5, resume=True)


def test_interrupted_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "latest.safetensors"
    model = Net()
    training.save_checkpoint(path, model, state={"epoch": 1})
    before = path.read_bytes()

    def torn(tensors, target, metadata):
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(_checkpoints, "save_file", torn)
    with pytest.raises(KeyboardInterrupt):
        training.save_checkpoint(path, model, state={"epoch": 2})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert training.load_checkpoint(path, Net()) == {"epoch": 1}


def test_best_epoch_is_kept(data, tmp_path):
    for folder in (tmp_path, None):
        scores = iter([0.1, 0.9, 0.9, 0.3])
        weights = []

        def validate(model, scores=scores, weights=weights):
            weights.append({k: v.clone() for k, v in model.state_dict().items()})
            return {"val_f1": next(scores)}

        model, _ = make_fit(
            data, validate=validate, monitor="+val_f1", keep_best=True, folder=folder
        )
        for name, value in model.state_dict().items():
            assert torch.equal(value, weights[1][name])
    fresh = Net()
    assert (
        training.load_checkpoint(tmp_path / "best.safetensors", fresh)["history"][-1]["epoch"] == 2
    )


def test_lower_is_better_without_a_plus(data, tmp_path):
    scores = iter([0.5, 0.2, 0.4, 0.3])
    make_fit(data, validate=lambda m: {"val_loss": next(scores)}, monitor="val_loss",
             folder=tmp_path)  # fmt: skip
    state = training.load_checkpoint(tmp_path / "best.safetensors")
    assert state["history"][-1]["epoch"] == 2


def test_bad_input_is_named(data, tmp_path):
    model = Net()
    with pytest.raises(ValueError, match="no batch"):
        training.fit(model, lambda epoch: [], lambda m, b: m(b).sum(), epochs=1)
    with pytest.raises(ValueError, match="epochs"):
        make_fit(data, epochs=0)
    with pytest.raises(ValueError, match="val_auc"):
        make_fit(data, monitor="val_auc")
    with pytest.raises(ValueError, match="keep_best"):
        make_fit(data, keep_best=True)
    x = data[0]
    with pytest.raises(ValueError, match="batches\\(1\\)"):
        training.fit(model, lambda epoch: [x] * (epoch + 1), lambda m, b: m(b).sum(), epochs=2,
                     show_progress=False)  # fmt: skip
    with pytest.raises(ValueError, match="loss"):
        training.fit(model, lambda epoch: [x], lambda m, b: {"ce": m(b).sum()}, epochs=1,
                     show_progress=False)  # fmt: skip
    with pytest.raises(FloatingPointError, match="nan"):
        training.fit(model, lambda epoch: [x], lambda m, b: m(b).sum() * float("nan"), epochs=1,
                     show_progress=False)  # fmt: skip
    path = training.save_checkpoint(tmp_path / "a.safetensors", model)
    with pytest.raises(ValueError, match="optimizer"):
        training.load_checkpoint(path, optimizer=torch.optim.SGD(model.parameters(), lr=1.0))


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_buckets_are_a_permutation_with_similar_lengths_together(batch_size):
    lengths = np.random.default_rng(0).integers(3, 60, 100)
    batches = training.bucketed_batches(
        lengths, batch_size, generator=torch.Generator().manual_seed(0)
    )
    assert sorted(torch.cat(batches).tolist()) == list(range(100))
    spread = max(np.ptp(lengths[b.numpy()]) for b in batches)
    assert spread <= max(np.ptp(np.sort(lengths)[i : i + batch_size]) for i in range(100))
    again = training.bucketed_batches(
        torch.tensor(lengths), batch_size, generator=torch.Generator().manual_seed(0)
    )
    assert all(torch.equal(a, b) for a, b in zip(batches, again, strict=True))


def test_buckets_without_generator_are_sorted_and_empty_is_empty():
    lengths = [5, 2, 9, 2]
    assert torch.cat(training.bucketed_batches(lengths, 3)).tolist() == [1, 3, 0, 2]
    assert training.bucketed_batches([], 3) == []
    with pytest.raises(ValueError, match="batch_size"):
        training.bucketed_batches(lengths, 0)
    with pytest.raises(ValueError, match="lengths"):
        training.bucketed_batches([[1, 2]], 2)


def test_predict_keeps_order_and_mode(data):
    x, _ = data
    model = Net().train()
    lengths = np.random.default_rng(1).integers(1, 9, N)
    got = training.predict(model, lambda m, i: m(x[i]), lengths, batch_size=5)
    assert model.training
    assert not got.requires_grad
    torch.testing.assert_close(got, model.eval()(x).detach())
    with pytest.raises(ValueError, match="lengths"):
        training.predict(model, lambda m, i: m(x[i]), [])


def test_devices(monkeypatch):
    assert training.pick_device().type in {"cpu", "cuda"}
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert training.pick_device() == torch.device("cpu")
    assert "thread" in training.describe_device(torch.device("cpu"))
    assert str(training.describe_device(torch.device("meta"))) == "meta"
