"""Other people's layouts of models: what their fields and tensors are called here, a file each."""
