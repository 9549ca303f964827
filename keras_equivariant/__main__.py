"""`python -m keras_equivariant`: the command line."""

import sys

from keras_equivariant.cli import main

sys.exit(main())
