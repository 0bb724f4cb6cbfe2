"""Reference networks: line, logistic regression, multilayer perceptron, convolutional net, transformer."""

from descend.functions.convnet import ConvNet
from descend.functions.perceptron import MLP, Line, Logistic, Standardise
from descend.functions.transformer import Transformer

__all__ = ["MLP", "ConvNet", "Line", "Logistic", "Standardise", "Transformer"]
