// The main function of every test executable: doctest's, but a run in which no test case ran is a failure, or, where all of them are skipped
// because the machine lacks what they need, ends with status 77: "skipped", for Meson. Cases whose names begin with `cuda` need a GPU. With PREAMBLE_BACKEND in the environment, programs
// that name no backend run there: `guarded`, see `guarded_backend`, or a device such as `cuda`.
#define DOCTEST_CONFIG_IMPLEMENT

#include <cstdlib>
#include <iostream>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/backend/choose.h"
#include "engine/backend/cuda/backend.h"
#include "engine/core/error.h"
#include "tests/support/guarded_backend.h"

namespace {

// doctest hands its counts to reporters only
unsigned cases_run = 0;

class CountingReporter : public doctest::IReporter {
 public:
  explicit CountingReporter(const doctest::ContextOptions& /*options*/) {}
  void report_query(const doctest::QueryData& /*data*/) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& stats) override { cases_run = stats.numTestCasesPassingFilters; }
  void test_case_start(const doctest::TestCaseData& /*data*/) override {}
  void test_case_reenter(const doctest::TestCaseData& /*data*/) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override {}
  void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}
  void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& /*data*/) override {}
  void log_message(const doctest::MessageData& /*data*/) override {}
  void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}
};

REGISTER_LISTENER("count", 1, CountingReporter);

}  // namespace

int main(int argc, char** argv) {
  if (const char* backend = std::getenv("PREAMBLE_BACKEND")) {
    try {
      preamble::set_default_backend(std::string_view(backend) == "guarded" ? preamble::guarded_backend() : preamble::backend_of(backend));
    } catch (const preamble::Error& error) {
      std::cerr << "PREAMBLE_BACKEND: guarded, or a device: " << error.what() << '\n';
      return 2;
    }
  }
  doctest::Context context(argc, argv);
  // not by decorators: those are evaluated before main, when the CUDA runtime's own globals may not be there yet
  if (preamble::cuda_device_count() == 0) context.addFilter("test-case-exclude", "cuda*");
  const int status = context.run();
  if (context.shouldExit()) return status;  // --help, --count, --list-test-cases and the like run nothing
  const bool filters = argc > 1;
  if (cases_run == 0 && !filters) {
    std::cerr << "all test cases are skipped on this machine\n";
    return 77;
  }
  if (cases_run == 0) {
    std::cerr << "no test case ran; wanted at least one (a filter that matches nothing?)\n";
    return 1;
  }
  return status;
}
