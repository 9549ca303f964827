"""Exported files as functions that run once: batch 1, one thread where the runtime can be told so."""


def tflite(path, x):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    (given,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    return interpreter.invoke


def saved_model(path, x):
    import tensorflow as tf

    loaded, x = tf.saved_model.load(str(path)), tf.constant(x)
    signature = loaded.signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]
    return lambda keep=loaded: next(iter(signature(**{name: x}).values())).numpy()


def onnx(path, x):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: x})


def openvino(path, x):
    import openvino

    compiled = openvino.Core().compile_model(str(next(path.glob("*.xml"))), "CPU", {"INFERENCE_NUM_THREADS": 1})
    return lambda: compiled([x])


RUNTIMES = {"tflite": tflite, "saved_model": saved_model, "onnx": onnx, "openvino": openvino}
