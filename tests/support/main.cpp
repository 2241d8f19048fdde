// The main function of every test executable: doctest's, but a run in which no test case ran is a failure. With PREAMBLE_BACKEND=guarded
// in the environment, programs that name no backend run on `guarded_backend()`.
#define DOCTEST_CONFIG_IMPLEMENT

#include <cstdlib>
#include <iostream>
#include <string_view>

#include <doctest/doctest.h>

#include "engine/backend/backend.h"
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
    if (std::string_view(backend) != "guarded") {
      std::cerr << "PREAMBLE_BACKEND: '" << backend << "' was given; wanted guarded\n";
      return 2;
    }
    preamble::set_default_backend(preamble::guarded_backend());
  }
  doctest::Context context(argc, argv);
  const int status = context.run();
  if (context.shouldExit()) return status;  // --help, --count, --list-test-cases and the like run nothing
  if (cases_run == 0) {
    std::cerr << "no test case ran; wanted at least one (a filter that matches nothing?)\n";
    return 1;
  }
  return status;
}
