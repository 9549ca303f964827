"""How large a spec may be. Specs may come from strangers: whatever is in them, the answer is an error, never a hang."""

MAX_BYTES = 1_000_000  # of a file
MAX_NODES = 20_000  # values, keys and brackets in a file
MAX_DEPTH = 40  # of nested values, and of nested blocks, repeats and branches
MAX_SCALAR = 5_000  # characters of one value
MAX_EXPRESSION = 200  # characters between ${ and }
MAX_TEXT = 1_000  # characters of a text after its expressions are filled in
MAX_NUMBER = 2**53  # whole numbers up to here are exact in float64
MAX_ITEMS = 10_000  # numbers in one list
MAX_STEPS = 20_000  # entries visited while blocks and repeats are unrolled
MAX_LAYERS = 2_000
MAX_NAME = 100  # letters of the name of a network or an input
MAX_SIZE = 100_000  # of any whole number that a layer receives (filters, kernel sizes, strides, units)
MAX_PARAMETERS = 100_000_000  # of one layer, counted on its expanded kernel
MAX_TOTAL = 500_000_000  # of all layers together, counted likewise
MAX_LAYER_WEIGHTS = 32_000_000  # held by one layer; of 40 million building takes more than a gibibyte
MAX_WEIGHTS = 65_000_000  # held by all layers together
MAX_GROUPS = 12  # different ones in one network
MAX_POINTS = 1_000_000  # of one example, also where an image becomes points
MAX_ORTHOGONAL = 10**10  # rows times columns times the smaller of the two, of a kernel with orthogonal initial values
MAX_BASIS = 50_000_000  # group elements times squared pixels of a kernel: the size of its basis
