"""CodeBuild: what a buildspec says."""
