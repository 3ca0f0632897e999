"""ONNX Runtime beside Keras. Called by tests/e2e/keras/keras_files.sh: onnx_files.py DIR... compares, for every DIR/NAME.onnx, its outputs for the
rows of NAME.npz with the predictions there, which are Keras'. Outputs above 1 may differ by as much of their size.
"""
import glob
import sys

import numpy as np
import onnx
import onnxruntime

failed, count = [], 0
for path in sorted(path for directory in sys.argv[1:] for path in glob.glob(f"{directory}/*.onnx")):
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = np.load(path.removesuffix(".onnx") + ".npz")
    (found,) = session.run(None, {session.get_inputs()[0].name: rows["x"]})
    difference = float(np.max(np.abs(found - rows["prediction"]) / np.maximum(1, np.abs(rows["prediction"]))))
    print(f"{path}: largest difference {difference:.1e}")
    count += 1
    if not difference <= (0.02 if "/mixed_" in path else 1e-5):
        failed.append(path)
if failed or count == 0:
    sys.exit(f"FAILED: {failed or 'no .onnx file'}")
