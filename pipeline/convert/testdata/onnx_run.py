"""Checks graphs with onnx and runs them with onnxruntime.

The argument is a folder with cases.json: a list of {"model": FILE, "inputs": [{"name", "type",
"shape", "file"}], "output": FILE}. Files of numbers are raw and little-endian.
"""

import json
import os
import sys

import numpy
import onnx
import onnxruntime

folder = sys.argv[1]
with open(os.path.join(folder, "cases.json")) as f:
    cases = json.load(f)
for case in cases:
    model = onnx.load(case["model"])
    onnx.checker.check_model(model, full_check=True)
    feed = {}
    for tensor in case["inputs"]:
        numbers = numpy.fromfile(tensor["file"], dtype=tensor["type"])
        feed[tensor["name"]] = numbers.reshape(tensor["shape"])
    session = onnxruntime.InferenceSession(case["model"], providers=["CPUExecutionProvider"])
    assert {i.name for i in session.get_inputs()} == set(feed), case["model"]
    (output,) = session.run(None, feed)
    output.astype("<f4").tofile(case["output"])
