"""Arrows between packages point one way; heavy libraries are imported where an engine runs, never at import."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "actors": set(),
    "cluster": set(),
    "dataflow": {"actors", "cluster"},
    "serve_apps": {"cluster"},
}
HEAVY = {
    *("torch", "torchaudio", "vllm", "TTS", "pyannote", "ctranslate2", "faster_whisper", "transformers"),
    *("onnxruntime", "pocketsphinx", "sklearn", "kokoro_onnx", "pocket_tts", "voxcpm", "demucs"),
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """Imports that run when the module is imported: not those inside functions or for type checkers."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_what_they_may(package: str) -> None:
    forbidden = set(ALLOWED) - ALLOWED[package] - {package}
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in forbidden
    }
    assert not found


def test_engines_share_nothing_but_contracts_and_their_own_folder() -> None:
    shared = {
        *("contracts", "languages", "models", "registry", "profiles"),
        *("batcher", "batch_budget", "waiting", "loop_thread", "torch_share"),
        *("cuda_pool", "ctranslate2_share", "onnx_session"),
    }
    found = set()
    for path in modules("actors"):
        own = path.relative_to(ROOT / "actors").parts[0].removesuffix(".py")
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            parts = name.split(".")
            if parts[0] == "actors" and len(parts) > 1 and parts[1] not in shared | {own}:
                found.add(f"{path.relative_to(ROOT)} imports {name}")
    assert not found


@pytest.mark.parametrize("package", ALLOWED)
def test_heavy_libraries_are_not_imported_with_a_module(package: str) -> None:
    found = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in at_import_time(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] in HEAVY
    }
    assert not found


def test_the_test_would_notice() -> None:
    tree = ast.parse("import torch\ndef load():\n    import vllm\nclass A:\n    import TTS\n")
    assert set(at_import_time(tree)) == {"torch", "TTS"}
    assert set(imports(tree)) == {"torch", "vllm", "TTS"}
