// What most sources of the command line include, precompiled once; see standard.h.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "precompiled/standard.h"
