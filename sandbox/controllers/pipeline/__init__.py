"""CodePipeline at work: `controller` carries out what the model decides, a module for each kind of action."""
