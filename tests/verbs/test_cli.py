"""The command line: names in JSON, exit states, short messages."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest


def triarch(*arguments, **options):
    command = [sys.executable, "-m", "triarch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def as_json(*arguments, **options):
    done = triarch(*arguments, "--json", **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_list():
    models = as_json("list")
    assert {model["model"] for model in models} >= {"plain", "tcn", "rnn", "lstm", "encoder"}
    for model in models:
        assert set(model) >= {"model", "family", "modalities", "abilities"}
    assert {model["family"] for model in as_json("list", "--family", "rnn")} == {"rnn"}
    assert as_json("list", "--task", "classify") == models


def test_describe():
    told = as_json("describe", "lstm/nano", "--data", "digits", "--threads", "1")
    assert set(told) >= {"model", "family", "params", "macs", "latency_ms", "peak_memory_bytes"}
    assert told["params"] == 2 * 4 * (32 * (8 + 32) + 2 * 32) + 64 * 10 + 10
    assert told["macs"] == 8 * 2 * 4 * 32 * (8 + 32) + 64 * 10
    assert set(told["latency_ms"]) == {"p50", "p95", "cpu", "spread", "busy"}
    assert told["peak_memory_bytes"] > 4 * told["params"]
    assert 2.9 * told["macs"] < told["training_macs"] <= 3 * told["macs"]
    assert told["batch_size"] == 64
    assert told["training_memory_bytes"] > 16 * told["params"] + told["peak_memory_bytes"]
    assert told["state_bytes"] is None


def test_describe_tells_what_is_remembered_and_what_a_step_holds():
    small, large = (
        as_json("describe", "decoder/nano", "--modality", "series", "--batch-size", size) for size in (1, 3)
    )
    assert small["state_bytes"] == 8 + 4 * 2 * 2 * 96 * 32
    assert small["training_macs"] == large["training_macs"] > 3 * small["macs"]
    held = large["training_memory_bytes"] - small["training_memory_bytes"]
    assert 0 < held < 2 * small["training_memory_bytes"]


def test_inspect():
    told = as_json("inspect", "languages")
    assert told["items"] == sum(told["classes"].values()) == sum(told["splits"].values())
    assert (told["task"], told["modality"]) == ("classify", "text")


def test_train_evaluate_predict_verify(tmp_path):
    trained = as_json("train", "digits", "--model", "plain/nano", "--epochs", "2", "--out", "a", cwd=tmp_path)
    assert set(trained) >= {"metric", "score", "interval", "n", "split", "artifact"}
    assert (trained["split"], trained["n"], trained["artifact"]) == ("select", 359, "a")
    assert as_json("describe", "a", cwd=tmp_path)["model"] == "plain/nano"
    told = as_json("evaluate", "a", "--split", "select", cwd=tmp_path)
    assert (told["score"], told["interval"], told["n"]) == (trained["score"], trained["interval"], 359)
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8)))
    answers = as_json("predict", "a", "x.npy", cwd=tmp_path)["predictions"]
    assert [answer["input"] for answer in answers] == ["x.npy[0]", "x.npy[1]"]
    assert as_json("verify", "a", cwd=tmp_path)["ok"] is True
    refused = triarch("train", "digits", "--model", "plain/nano", "--out", "a", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--resume" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "digits"], "--model"),
        (["train", "--model", "lstm"], "no data"),
        (["train", "digitz", "--model", "lstm"], "did you mean digits"),
        (["train", "digits", "--model", "lstn"], "did you mean lstm"),
        (["train", "digits", "--model", "lstm/huge"], "sizes: nano"),
        (["train", "digits", "--model", "lstm", "--set", "settings.widht=3"], "no setting 'widht'"),
        (["train", "digits", "--model", "lstm", "--set", "settings.dim=wide"], "setting dim"),
        (["train", "digits", "--model", "lstm", "--set", "lr=1"], "unknown key 'lr'"),
        (["train", "digits", "--model", "lstm", "--steps", "5", "--seconds", "3"], "one of them"),
        (["train", "digits", "--model", "lstm", "--seconds", "3", "--set", "schedule.name=cosine"], "cosine"),
        (["train", "digits", "--model", "encoder", "--set", "settings.dim=33"], "num_heads"),
        (["train", "digits", "--model", "lstm", "--steps", "0"], "steps"),
        (["train", "digits", "--model", "lstm", "--task", "rank"], "classify"),
        (["train", "digits", "--model", "lstm", "--recipe", "absent.yaml"], "absent.yaml"),
        (["train", "--resume", "absent"], "absent"),
        (["choose"], "no data"),
        (["choose", "digits", "--seconds", "1"], "a race takes"),
        (["choose", "--resume", "absent"], "absent"),
        (["choose", "digits", "--seconds", "inf"], "a race takes"),
        (["choose", "digits", "--threads", "-1"], "threads"),
        (["train", "digits", "--model", "lstm", "--set", "settings.depth=[1,"], "YAML"),
        (["choose", "digits", "--max-params", "10"], "the nearest is"),
        (["choose", "digits", "--models", "lstm,resnte"], "did you mean resnet"),
        (["choose", "digits", "--families", "cnns"], "did you mean cnn"),
        (["choose", "digits", "--models", "patchtst"], "serves no image"),
        (["choose", "digits", "--metric", "f1"], "balanced accuracy"),
        (["choose", "digits", "--task", "rank"], "classify"),
        (["choose", "digits", "--margin", "-1"], "--margin"),
        (["choose", "--recipe", "absent.yaml"], "absent.yaml"),
        (["choose", "digits", "--max-size", "1000"], "the nearest is"),
        (["choose", "digits", "--max-memory", "1kB"], "raise the limit: --max-memory"),
        (["choose", "digits", "--max-latency", "0.0001"], "raise the limit: --max-latency"),
        (["choose", "digits", "--max-params", "5x"], "that is no limit"),
        (["describe", "lstm", "--modality", "smell"], "smell"),
        (["describe", "gpt"], "no architecture"),
        (["describe", "lstm", "--batch-size", "0"], "at least one item"),
        (["evaluate", "absent"], "is not an artifact"),
        (["predict", "absent", "x"], "is not an artifact"),
        (["verify", "absent"], "is not an artifact"),
        (["list", "--family", "mlp"], "no family"),
        (["inspect", "absent.npz"], "absent.npz"),
        (["fly"], "fly"),
        (["train", "--wings"], "wings"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_faults_of_the_user(tmp_path, arguments, told):
    done = triarch(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 5
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert os.listdir(tmp_path) == []


def test_help_of_every_verb():
    import triarch as package

    for verb in package.VERBS:
        done = triarch(verb, "--help")
        assert done.returncode == 0
        assert "Usage: " in done.stdout


def test_a_training_that_diverges_says_so(tmp_path):
    options = ["--model", "plain/nano", "--set", "optimiser.lr=9", "--set", "optimiser.momentum=0.99"]
    options += ["--epochs", "30", "--set", "clip=null"]
    done = triarch("train", "digits", *options, "--set", "optimiser.name=sgd", "--out", "a", cwd=tmp_path)
    assert done.returncode == 2
    assert "diverged" in done.stderr
    assert "optimiser.lr" in done.stderr
    assert not (tmp_path / "a" / "model.safetensors").exists()


def test_python_takes_arrays(tmp_path):
    import triarch as package

    x = np.random.default_rng(0).normal(size=(60, 12, 2)).astype(np.float32)
    y = np.array(["up", "down"])[(x[:, -1, 0] > 0).astype(int)]
    result = package.train((x, y), model="tcn/nano", steps=150, threads=1, seed=1, out=tmp_path / "a")
    assert result.score > 0.6
    assert package.load(tmp_path / "a").predict(x[:3])[0].label in ("up", "down")
    assert package.evaluate(tmp_path / "a", (x, y), split="confirm").n == 18
