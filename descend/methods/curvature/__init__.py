"""Methods that use curvature and descend one function that stays the same: all examples in every step.

They ask for the loss at other points than where they stand (line searches, trust regions), so they are given
an :class:`~descend.methods.curvature.objective.Objective`, or a closure, instead of a gradient alone.
"""
