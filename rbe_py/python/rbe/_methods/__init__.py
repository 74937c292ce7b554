"""Methods of the tensor class that are made of other operations: one class, without fields, for each kind."""

from .arranging import Arranging
from .creating import Creating
from .cutting import Cutting
from .diagonals import Diagonals
from .drawing import Drawing
from .formulas import Formulas
from .matrices import Matrices
from .products import Products
from .ranking import Ranking
from .scanning import Scanning
from .searching import Searching
from .selecting import Selecting
from .statistics import Statistics
from .synonyms import Synonyms

__all__ = [
    "Arranging",
    "Creating",
    "Cutting",
    "Diagonals",
    "Drawing",
    "Formulas",
    "Matrices",
    "Products",
    "Ranking",
    "Scanning",
    "Searching",
    "Selecting",
    "Statistics",
    "Synonyms",
]
