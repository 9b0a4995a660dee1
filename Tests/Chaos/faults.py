"""All faults by name. Each is a function of the world and of a random generator, in a module by what it strikes.

A fault prepares what it needs, calls `world.begin(…)`, which starts the load and says whom it concerns, strikes, and calls
`world.over()` where it ends before the function does. What it leaves stopped, cut or full is mended afterwards.
"""

FAULTS = {}
SHORT = []


def fault(name, short=False):
    """Enters a fault under its name; `short` ones are made in the short form too."""
    def enter(function):
        FAULTS[name] = function
        if short:
            SHORT.append(name)
        return function
    return enter
