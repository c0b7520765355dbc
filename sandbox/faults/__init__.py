"""Faults that are put into what runs: one module each, found by its ``FAULT``. docs/faults.md says how to add one.

A fault acts by what the sandbox lends it, a `sandbox.faults.base.Reach`, and gives back a function that takes it away.
`sandbox.controllers.faults` begins and ends faults and sees to it that none outlives the sandbox.
"""
