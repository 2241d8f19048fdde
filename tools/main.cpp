#include <iostream>

#include "tools/program.h"

int main(int argc, char** argv) { return preamble::run_program(argc, argv, std::cout, std::cerr); }
