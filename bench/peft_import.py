"""Imports torch, transformers and peft, or says in one line why not."""

import re
import sys


def load():
    """(torch, transformers, peft). Ends the program with status 0 and one line on standard error where they are missing or do not fit together."""
    try:
        import torch
        import transformers
    except ImportError as error:
        skip(f"{error.name} is not installed")
    # some versions of peft name classes that newer versions of transformers have dropped, only to compare types with them
    for _ in range(8):
        try:
            import peft

            return torch, transformers, peft
        except ModuleNotFoundError as error:
            skip(f"{error.name} is not installed")
        except ImportError as error:
            missing = re.search(r"cannot import name '(\w+)' from 'transformers'", str(error))
            if not missing:
                skip(f"peft does not import: {error}")
            setattr(transformers, missing.group(1), type(missing.group(1), (torch.nn.Module,), {}))
            for name in [name for name in sys.modules if name == "peft" or name.startswith("peft.")]:
                del sys.modules[name]
    skip("peft does not import with this version of transformers")


def skip(why):
    print(f"skipped: {why}; wanted torch, transformers and peft (bench/parity/requirements.txt)", file=sys.stderr)
    sys.exit(0)
