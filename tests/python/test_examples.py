import signal
import subprocess
import sys
from pathlib import Path

import pytest
import rbe

EXAMPLES = Path(__file__).resolve().parents[2] / "rbe_py" / "examples"


def run(name, *args, cwd):
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def table(result):
    """Rows of the table an example prints, by their names."""
    lines = [line.split() for line in result.stdout.splitlines()]
    return {words[0]: words for words in lines if words and words[0] in ("packed", "dense")}


def test_digits(tmp_path):
    result = run("train_digits.py", "--epochs", 8, "--out", tmp_path / "o", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = table(result)
    assert float(rows["packed"][1]) > 95
    assert float(rows["dense"][1]) > 95
    assert (tmp_path / "o" / "digits.png").stat().st_size > 10_000
    assert any(t.is_packed for t in rbe.load(tmp_path / "o" / "digits.safetensors").values())


def test_digits_from_idx_files(tmp_path, data_dir):
    result = run("train_digits.py", "--data", data_dir, "--epochs", 1, "--out", tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    packed = next(line for line in result.stdout.splitlines() if line.strip().startswith("packed"))
    assert float(packed.split()[1]) > 95


def test_convolutional_network(tmp_path):
    result = run("train_convnet.py", "--epochs", 8, "--dense", "--threads", 1, "--out", tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = table(result)
    assert float(rows["packed"][1]) > 97
    assert float(rows["dense"][1]) > 97
    assert (tmp_path / "convnet.png").stat().st_size > 10_000
    assert all(t.is_packed for t in rbe.load(tmp_path / "convnet.safetensors").values() if t.ndim > 1)


def test_characters(tmp_path, data_dir):
    text = data_dir / "tinyshakespeare" / "input.txt"
    result = run("train_chars.py", "--data", text, "--steps", 300, "--width", 128, "--out", tmp_path, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    packed = next(line for line in result.stdout.splitlines() if line.strip().startswith("packed"))
    assert float(packed.split()[1]) < 2.5
    assert "ROMEO:" in result.stdout


@pytest.mark.parametrize(("name", "width"), [("train_gpt.py", 64), ("train_lstm.py", 64)])
def test_language_models(name, width, tmp_path, data_dir):
    text = data_dir / "tinyshakespeare" / "input.txt"
    options = ["--steps", 150, "--width", width, "--layers", 1, "--seeds", 2, "--threads", 1, "--dense", "--out", tmp_path]
    result = run(name, "--data", text, *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines() if line.strip().startswith(("packed ", "dense "))]
    assert [row[0] for row in rows] == ["packed", "dense"]
    assert all(float(row[1]) < 3.0 for row in rows)  # 4.17 for equal probabilities, 3.3 for the characters' frequencies
    assert int(rows[0][2].replace(",", "")) < 0.7 * int(rows[1][2].replace(",", ""))
    assert "ROMEO:" in result.stdout
    stem = name.removeprefix("train_").removesuffix(".py")
    assert (tmp_path / f"{stem}.png").stat().st_size > 10_000
    assert any(t.is_packed for t in rbe.load(tmp_path / f"{stem}.safetensors").values())


@pytest.mark.parametrize("name", ["train_digits.py", "train_convnet.py", "train_chars.py", "train_gpt.py", "train_lstm.py"])
def test_missing_data_is_said(name, tmp_path):
    result = run(name, "--data", "nowhere", cwd=tmp_path)
    assert result.returncode == 2
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["train_digits.py", "train_convnet.py", "train_chars.py", "train_gpt.py", "train_lstm.py"])
def test_help(name, tmp_path):
    assert "--seed" in run(name, "--help", cwd=tmp_path).stdout


def test_ctrl_c_saves_and_leaves(tmp_path, program):
    process = program(str(EXAMPLES / "train_digits.py"), "--epochs", "500", "--out", str(tmp_path), cwd=tmp_path)
    bar = ""
    while "step/s" not in bar:
        bar += process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "stopped after" in out
    assert "dense" not in out
    assert "Traceback" not in error
    assert any(t.is_packed for t in rbe.load(tmp_path / "digits.safetensors").values())
    assert (tmp_path / "digits.png").exists()


@pytest.mark.parametrize("argument", [["--epochs", "0"], ["--batch", "100000"], ["--seeds", "-1"]])
def test_arguments_out_of_range_are_said(argument, tmp_path):
    result = run("train_digits.py", *argument, cwd=tmp_path)
    assert result.returncode == 2
    assert argument[0] in result.stderr
