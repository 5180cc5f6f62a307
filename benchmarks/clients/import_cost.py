"""CPU that importing one module costs, user and system, the interpreter's own start excluded."""

import importlib
import json
import sys
import time

start = time.process_time()
importlib.import_module(sys.argv[1])
print(
    json.dumps(
        {"cpu_ms": (time.process_time() - start) * 1000, "process_ms": time.process_time() * 1000}
    )
)
