// What most tests include, precompiled once a test executable; see standard.h.

#include <doctest/doctest.h>

#include "precompiled/standard.h"
