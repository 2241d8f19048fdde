#include "tools/processes.h"

int main(int argc, char** argv) { return preamble::run_process(argc, argv); }
