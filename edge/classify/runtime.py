"""The TensorFlow Lite runtime: ai-edge-litert, or tflite-runtime before it, whichever is there.

Both have the same `Interpreter`. Nothing else in the project imports either.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.classify.graph import check_graph
from edge.classify.preprocess import dequantize, int8_levels, to_int8
from edge.errors import ModelError
from edge.packages import as_missing
from edge.records import Pixels

_RUNTIMES = (
    ("ai_edge_litert.interpreter", "ai-edge-litert"),
    ("tflite_runtime.interpreter", "tflite-runtime"),
)


def _import_runtime() -> tuple[Any, str]:
    """Return the first that can be loaded. Raises MissingPackageError: why the first cannot."""
    problems = []
    for module, distribution in _RUNTIMES:
        try:
            return importlib.import_module(module), distribution
        except ImportError as error:
            problems.append(error)
    raise as_missing(problems[0]) or problems[0] from problems[0]


def runtime_version() -> str:
    """Return the runtime in use, as `ai-edge-litert 2.3.0`."""
    _, distribution = _import_runtime()
    return f"{distribution} {importlib.metadata.version(distribution)}"


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep the runtime from writing to our log which delegate it uses; it has no setting for it.

    Its errors are exceptions, and pass.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


class Int8Network:
    """A full-integer classifier in the edge runtime: crops in, probabilities out."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        """Load the bytes of a `.tflite` file.

        Raises ModelError unless it takes (1, side, side, 3) int8 and gives (1, labels) int8, and
        perhaps (1, size) int8 features.
        """
        graph = check_graph(model)
        module, _ = _import_runtime()
        try:
            with _quiet_stderr():
                self._interpreter = module.Interpreter(model_content=model, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(
                f"the runtime cannot load the model ({error}); make the bundle again"
            ) from error
        (self._input,) = self._interpreter.get_input_details()
        # The runtime numbers tensors as the file does; it may list the outputs in another order.
        outputs = {each["index"]: each for each in self._interpreter.get_output_details()}
        self._answers = outputs[graph.answers]
        self._features = None if graph.features is None else outputs[graph.features]
        shape = tuple(self._input["shape"])
        if any(each["dtype"] is not np.int8 for each in (self._input, *outputs.values())):
            raise ModelError("the model is not quantized to int8 from end to end")
        if len(shape) != 4 or shape[0] != 1 or shape[1] != shape[2] or shape[3] != 3:
            raise ModelError(f"the model's input is {shape}, not (1, side, side, 3)")
        for each in outputs.values():
            result = tuple(each["shape"])
            if len(result) != 2 or result[0] != 1:
                raise ModelError(f"the model's output is {result}, not (1, labels)")
        self.side_px = int(shape[1])
        self.labels = int(self._answers["shape"][1])
        self.features_size = 0 if self._features is None else int(self._features["shape"][1])
        self.input_quantization: tuple[float, int] = self._input["quantization"]
        self.output_quantization: tuple[float, int] = self._answers["quantization"]
        self.features_quantization: tuple[float, int] | None = (
            None if self._features is None else self._features["quantization"]
        )
        self._levels = int8_levels(*self.input_quantization)

    def probabilities(self, crops: Pixels) -> NDArray[np.float32]:
        """Return (n, labels) probabilities for crops (n, side, side, 3) uint8 BGR."""
        return dequantize(self.answers(crops), *self.output_quantization)

    def answers(self, crops: Pixels) -> NDArray[np.int8]:
        """Return the same as the network gives them: int8 steps, 1/256 of a probability each."""
        return self.outputs(crops)[0]

    def outputs(self, crops: Pixels) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
        """Return the answers (n, labels) and the features (n, features_size) in int8 steps."""
        answers = np.empty((len(crops), self.labels), np.int8)
        features = np.empty((len(crops), self.features_size), np.int8)
        for row, crop in enumerate(crops):
            self._interpreter.set_tensor(self._input["index"], to_int8(crop, self._levels)[None])
            self._interpreter.invoke()
            answers[row] = self._interpreter.get_tensor(self._answers["index"])[0]
            if self._features is not None:
                features[row] = self._interpreter.get_tensor(self._features["index"])[0]
        return answers, features
