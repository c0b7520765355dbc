"""Systems Manager's Run Command and documents. Pure: nodes, documents and commands in, what is to be done out."""
