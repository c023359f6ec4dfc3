"""RT-1: FiLM-EfficientNet, TokenLearner and a decoder over a window of frames."""
