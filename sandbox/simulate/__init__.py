"""``sandbox simulate``: the models in virtual time, for fleets that no machine could run. One module a situation."""
