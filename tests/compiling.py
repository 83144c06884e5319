"""How programs are compiled that are run once or twice: fast, not well, and no program twice.

JAX compiles each operation for each shape. What one process has compiled, in this run or an earlier one, the others
read from `.jax_cache` (`make clean` deletes it).
"""

from pathlib import Path

ENVIRONMENT = {
    "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
    "JAX_COMPILATION_CACHE_DIR": str(Path(__file__).parent.parent / ".jax_cache"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
