"""CodePipeline: what a pipeline may be, and how its executions go through it."""
