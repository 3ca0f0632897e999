"""The models of compare.py, for ours and for each peer.

A model is a list of layers behind an image of 28 x 28: ("conv", filters, size, padding), with a batch normalization behind it where there is a
fifth item, ("pool",), a maximum of 2 x 2, and ("dense", units). A relu is behind every layer with weights but the last one, whose end is a softmax.
"""

VGG = [("conv", 32, 3, "same"), ("conv", 32, 3, "same"), ("pool",), ("conv", 64, 3, "same"), ("conv", 64, 3, "same"), ("pool",), ("dense", 128), ("dense", 10)]
MODELS = {
    "classifier": [("dense", 300), ("dense", 100), ("dense", 10)],
    "wide": [("dense", 4096), ("dense", 4096), ("dense", 10)],
    "lenet": [("conv", 6, 5, "same"), ("pool",), ("conv", 16, 5, "valid"), ("pool",), ("dense", 120), ("dense", 84), ("dense", 10)],
    "vgg": VGG,
    "vgg_bn": [layer + ("norm",) if layer[0] == "conv" else layer for layer in VGG],
}


def convolutional(model):
    return MODELS[model][0][0] == "conv"


def widths(model):
    """Of a model of dense layers, the input's first."""
    return [784] + [units for _, units in MODELS[model]]


def title(model):
    return model if convolutional(model) else "-".join(map(str, widths(model)))


def yaml(model, data):
    """A configuration of ours."""
    lines = ["Reshape: {target_shape: [28, 28, 1]}" if convolutional(model) else "Flatten"]
    for layer in MODELS[model]:
        if layer[0] == "conv":
            _, filters, size, padding, *norm = layer
            lines.append(f"Conv2D: {{filters: {filters}, kernel_size: {size}, padding: {padding}, {'use_bias: false' if norm else 'activation: relu'}}}")
            lines += ["BatchNormalization", "Activation: {activation: relu}"] if norm else []
        elif layer[0] == "pool":
            lines.append("MaxPooling2D: {pool_size: 2}")
        else:
            if convolutional(model) and not lines[-1].startswith("Dense"):
                lines.append("Flatten")
            lines.append(f"Dense: {{units: {layer[1]}, activation: {'softmax' if layer is MODELS[model][-1] else 'relu'}}}")
    return (f"name: {model}\ndata:\n  train: {{file: {data}, group: train}}\nmodel:\n  - Input: {{shape: [28, 28]}}\n  - Rescaling: {{scale: 1/255}}\n" +
            "".join(f"  - {line}\n" for line in lines) +
            "training:\n  loss: sparse_categorical_crossentropy\n  optimizer: {SGD: {learning_rate: 0.01}}\n  metrics: [accuracy]\n")


def torch(model):
    """A torch.nn.Sequential that ends in logits. Convolutions are laid out as channels_last, PyTorch's fastest."""
    from torch import channels_last, nn
    layers, side, channels, width = [], 28, 1, None if convolutional(model) else 784
    for layer in MODELS[model]:
        if layer[0] == "conv":
            _, filters, size, padding, *norm = layer
            layers.append(nn.Conv2d(channels, filters, size, padding=size // 2 if padding == "same" else 0, bias=not norm))
            layers += ([nn.BatchNorm2d(filters)] if norm else []) + [nn.ReLU()]
            channels, side = filters, side if padding == "same" else side - size + 1
        elif layer[0] == "pool":
            layers.append(nn.MaxPool2d(2))
            side //= 2
        else:
            if width is None:
                width = channels * side * side
                layers.append(nn.Flatten())
            layers += [nn.Linear(width, layer[1]), nn.ReLU()]
            width = layer[1]
    made = nn.Sequential(*layers[:-1])
    return made.to(memory_format=channels_last) if convolutional(model) else made


def keras(model):
    """A keras.Sequential."""
    from keras import Sequential, layers
    made = [layers.Input((28, 28, 1) if convolutional(model) else (784,))]
    for layer in MODELS[model]:
        if layer[0] == "conv":
            _, filters, size, padding, *norm = layer
            made.append(layers.Conv2D(filters, size, padding=padding, use_bias=not norm, activation=None if norm else "relu"))
            made += [layers.BatchNormalization(), layers.ReLU()] if norm else []
        elif layer[0] == "pool":
            made.append(layers.MaxPooling2D(2))
        else:
            if convolutional(model) and not isinstance(made[-1], layers.Dense):
                made.append(layers.Flatten())
            made.append(layers.Dense(layer[1], activation="softmax" if layer is MODELS[model][-1] else "relu"))
    return Sequential(made)
