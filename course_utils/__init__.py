"""Layers, data generators, checks and tools for the workbook *Attention in Medicine*.

Importing this package is cheap: nothing heavy is loaded until a module that needs it is imported.
"""

__version__ = "0.1.0"
