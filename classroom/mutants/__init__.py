"""Small wrong changes of a source text (mutants), by operator.

A check that passes a mutant of a right answer does not look at what the mutant changed. Nothing
here knows notebooks or checks: any Python text has mutants, a model answer's or a student's.

References
----------
DeMillo, Lipton, Sayward (1978), "Hints on test data selection", IEEE Computer 11(4);
Jia, Harman (2011), "An analysis and survey of the development of mutation testing", IEEE TSE 37(5).
"""

from classroom.mutants.engine import Mutant, mutants, pairs, sample, solution_lines

__all__ = ["Mutant", "mutants", "pairs", "sample", "solution_lines"]
