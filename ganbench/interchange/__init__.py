"""To and from other tools: samples and scores of other suites come in, runs go out to TensorBoard and W&B."""
