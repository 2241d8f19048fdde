// Scores of logits that a test invents, by the ops that generation uses.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/core/error.h"
#include "engine/runtime/compile.h"
#include "models/score_outputs.h"

namespace preamble::testing {

/// What a decoder returns for rows of logits [rows, V].
class ScoredLogits {
 public:
  [[nodiscard]] ScoreRequest prepare(const ScoreRequest& wanted) {
    if (!outputs_.serve(wanted)) {
      outputs_ = ScoreOutputs(wanted);
      session_.reset();
    }
    return outputs_.request();
  }

  [[nodiscard]] ScoreRows score(std::span<const float> logits, std::int64_t vocabulary, const ScoreQueries& queries) {
    const std::int64_t rows = static_cast<std::int64_t>(logits.size()) / vocabulary;
    if (!session_ || rows > capacity_) compile_for(rows, vocabulary);
    const auto count = static_cast<std::int32_t>(rows);
    session_->rows("rows", Segments(std::span(&count, 1)));
    session_->set<float>("logits", logits);
    outputs_.feed(*session_, queries, static_cast<std::size_t>(rows));
    session_->run();
    return outputs_.read(*session_);
  }

 private:
  void compile_for(std::int64_t rows, std::int64_t vocabulary) {
    capacity_ = rows;
    Graph graph;
    const RowSpaceId space = graph.rows("rows", rows, 1);
    outputs_.add(graph, graph.input("logits", {Dtype::f32, space, {vocabulary}}));
    session_ = std::make_unique<Session>(compile(std::move(graph)));
  }

  ScoreOutputs outputs_;
  std::int64_t capacity_ = 0;
  std::unique_ptr<Session> session_;
};

}  // namespace preamble::testing
