// Precompiled for the tests.
#include "precompiled/standard.h"

#include <doctest/doctest.h>
