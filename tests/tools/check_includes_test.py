#!/usr/bin/env python3
"""Plants one mistake per rule of tools/check-includes in a small tree and expects it to be found, and nothing else."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).resolve().parents[2] / "tools" / "check-includes"

SOUND_TREE = {
    "engine/core/error.h": "#include <string>\n",
    "engine/core/parallel.cpp": "#include <oneapi/tbb/parallel_for.h>\n",
    "engine/graph/graph.h": '#include "engine/core/error.h"\n// T5 keeps its table elsewhere\n',
    "engine/ops/linear.cpp": '#include "engine/graph/graph.h"\n',
    "engine/backend/cpu/gemm.cpp": '#include <cblas.h>\n#include "engine/core/error.h"\n',
    "engine/backend/cuda/device.cuh": "#include <cuda_runtime.h>\n",
    "engine/backend/cuda/norm.cu": '#include "engine/backend/cuda/device.cuh"\n',
    "models/t5.cpp": '#include "engine/graph/graph.h"\nclass T5;\n',
    "peft/prompt.h": '#include "engine/graph/graph.h"\n',
    "tests/engine/linear_test.cpp": "",
}


class CheckIncludes(unittest.TestCase):
    def check(self, changes, unlisted=()):
        files = {**SOUND_TREE, **changes}
        sources = [name for name in files if name.endswith((".cpp", ".cu")) and name not in unlisted]
        files["tests/meson.build"] = "".join(f"'../{name}',\n" for name in sources)
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = pathlib.Path(root) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            result = subprocess.run([sys.executable, CHECK, "--root", root], capture_output=True, text=True, check=False)
        *notes, summary = result.stdout.splitlines()
        mistakes = [note for note in notes if not note.startswith("over budget")]
        self.assertEqual(result.returncode, 1 if mistakes else 0, result.stdout + result.stderr)
        self.assertTrue(summary.endswith(f", {len(mistakes)} mistakes"), summary)
        return notes

    def expect(self, changes, *mistakes):
        self.assertEqual(self.check(changes), list(mistakes))

    def test_sound_tree(self):
        self.expect({})

    def test_two_types_of_one_name(self):
        twice = "namespace preamble {\nstruct Pair {\n};\nclass Pair2;\n}\n"
        self.expect({"peft/pair.h": twice, "engine/core/pair.h": twice}, "type: 'Pair' is defined in engine/core/pair.h and peft/pair.h; wanted one")

    def test_include_that_points_up_inside_the_engine(self):
        self.expect(
            {"engine/core/error.h": '\n#include "engine/graph/graph.h"\n'},
            'engine/core/error.h:2: order: "engine/graph/graph.h" points up, from engine/core to engine/graph',
        )

    def test_op_that_knows_a_backend(self):
        self.expect(
            {"engine/ops/linear.cpp": '#include "engine/backend/cpu/gemm.h"\n', "engine/backend/cpu/gemm.h": ""},
            'engine/ops/linear.cpp:1: order: "engine/backend/cpu/gemm.h" points up, from engine/ops to engine/backend',
        )

    def test_model_that_knows_peft(self):
        self.expect(
            {"models/t5.cpp": '#include "peft/prompt.h"\n'},
            'models/t5.cpp:1: order: "peft/prompt.h" points up, from models to peft',
        )

    def test_relative_include(self):
        self.expect(
            {"engine/graph/graph.h": '#include "../core/error.h"\n'},
            'engine/graph/graph.h:1: root: "../core/error.h" is no source file; wanted a path from the repository root',
        )

    def test_folder_without_rank(self):
        self.expect(
            {"engine/extra/a.h": '#include "engine/core/error.h"\n'},
            f"engine/extra/a.h:1: order: engine/extra/a.h lies in a folder without a rank; wanted one of {RANKED}",
        )

    def test_tbb_outside_its_home(self):
        self.expect(
            {"engine/ops/linear.cpp": "#include <tbb/parallel_for.h>\n"},
            "engine/ops/linear.cpp:1: tbb: <tbb/parallel_for.h>; only engine/core/parallel.cpp may know oneTBB",
        )

    def test_cblas_outside_its_home(self):
        self.expect(
            {"engine/backend/cpu/gemm.cpp": "", "models/t5.cpp": "#include <cblas.h>\n"},
            "models/t5.cpp:1: blas: <cblas.h>; only a gemm file of engine/backend may know CBLAS",
        )

    def test_cblas_in_two_gemm_files(self):
        self.expect(
            {"engine/backend/cpu/gemm_small.cpp": "#include <cblas.h>\n"},
            "blas: engine/backend/cpu/gemm.cpp and engine/backend/cpu/gemm_small.cpp know CBLAS; wanted one file",
        )

    def test_cuda_reached_through_a_header(self):
        self.expect(
            {"engine/backend/device.h": "#include <cublasLt.h>\n", "models/t5.cpp": '#include "engine/backend/device.h"\n'},
            "models/t5.cpp: cuda: reachable by models/t5.cpp -> engine/backend/device.h -> cublasLt.h",
        )

    def test_engine_that_names_a_model(self):
        self.expect(
            {"engine/graph/graph.h": "/* GPT2 in a comment\n is fine */ int t5_bias;\n"},
            "engine/graph/graph.h:2: neutral: 't5'; the engine must not name a model",
        )

    def test_commented_include_is_none(self):
        self.expect({"engine/core/error.h": '// #include "models/t5.h"\n/*\n#include "models/t5.h"\n*/\n'})

    def test_long_file_is_listed_but_breaks_nothing(self):
        self.expect({"engine/core/error.h": "\n" * 201}, "over budget: engine/core/error.h: 201 lines, budget 200")

    def test_source_in_no_meson_build(self):
        notes = self.check({"engine/ops/new.cpp": ""}, unlisted=["engine/ops/new.cpp"])
        self.assertEqual(notes, ["engine/ops/new.cpp: listed: in no meson.build"])

    def test_cuda_kernel_of_the_cpu_s_list(self):
        listed = {"engine/backend/cpu/meson.build": "'scale'\n", "engine/backend/cuda/scale.cu": "", "engine/backend/cuda/other.cu": ""}
        notes = self.check(listed, unlisted=["engine/backend/cuda/scale.cu", "engine/backend/cuda/other.cu"])
        self.assertEqual(notes, ["engine/backend/cuda/other.cu: listed: in no meson.build"])

    def test_source_listed_without_its_extension(self):
        self.assertEqual(self.check({"engine/ops/meson.build": "'linear'\n"}, unlisted=["engine/ops/linear.cpp"]), [])


RANKED = (
    "engine/core engine/distributed engine/graph engine/ops engine/backend engine/compile engine/optim engine/runtime "
    "data models peft tools bench tests"
)

if __name__ == "__main__":
    unittest.main()
