#include "peft/prompt_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "data/labels.h"
#include "data/tokenizers/tokenizer.h"
#include "engine/core/error.h"
#include "models/open_model.h"
#include "peft/adapter_file.h"
#include "peft/prompt_geometry.h"
#include "peft/prompt_similarity.h"
#include "peft/tasks/encoder_task.h"
#include "peft/text_task.h"
#include "peft/token_activations.h"

namespace preamble {
namespace {

using Json = nlohmann::ordered_json;
using Folder = std::filesystem::path;

/// A copy of what was trained.
struct Copy {
  std::int64_t step = 0;
  Folder folder;
};

/// The folders checkpoint-N, by their numbers.
std::vector<Copy> copies_in(const Folder& adapter) {
  constexpr std::string_view kName = "checkpoint-";
  std::vector<Copy> copies;
  for (const auto& entry : std::filesystem::directory_iterator(adapter)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || !name.starts_with(kName)) continue;
    std::int64_t step = 0;
    const char* end = name.data() + name.size();
    if (std::from_chars(name.data() + kName.size(), end, step).ptr == end) copies.push_back({step, entry.path()});
  }
  std::ranges::sort(copies, {}, &Copy::step);
  return copies;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double x : values) {
    if (std::isnan(x)) continue;
    sum += x;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : std::numeric_limits<double>::quiet_NaN();
}

class Report {
 public:
  Report(const Folder& adapter, const Folder& model_folder, const ReportOptions& options)
      : adapter_(adapter), options_(options), tokenizer_(load_tokenizer(model_folder)), model_(open_model(model_folder)), copies_(copies_in(adapter)) {
    require<ConfigError>(options.neighbours > 0, "report: {} neighbours were asked for; wanted one at least", options.neighbours);
    json_ = {{"adapter", adapter.string()}, {"model", model_folder.string()}};
  }

  Json run() {
    method_ = open_adapters({adapter_}, *model_);
    if (const auto* prefix = dynamic_cast<const PrefixTuning*>(method_.get())) {
      add_prefix(prefix->slots().front());
    } else {
      require<UnsupportedError>(dynamic_cast<const PromptTuning*>(method_.get()) != nullptr, "{}: a head alone; wanted a prompt or a prefix",
                                adapter_.string());
      add_prompt(prompt_rows(adapter_));
    }
    return std::move(json_);
  }

 private:
  [[nodiscard]] std::string token(std::int32_t id) const {
    const auto text = tokenizer_->id_to_token(id);
    return text ? std::string(*text) : fmt::format("<no token {}>", id);
  }

  [[nodiscard]] Json list_of(const std::vector<Neighbour>& neighbours) const {
    Json list = Json::array();
    for (const auto& [id, value] : neighbours) list.push_back({{"token", token(id)}, {"value", value}});
    return list;
  }

  /// The embeddings of words: rows beyond the vocabulary, which many models have, are no neighbours of anything.
  [[nodiscard]] Tensor vocabulary() const {
    const Tensor all = model_->embedding();
    return all.rows(0, std::min(all.dim(0), static_cast<std::int64_t>(tokenizer_->size())));
  }

  void add_prompt(const Tensor& prompt) {
    json_["kind"] = "prompt";
    json_["tokens"] = prompt.dim(0);
    json_["width"] = prompt.dim(1);
    const Tensor embedding = vocabulary();
    const auto near = nearest_tokens(prompt, embedding, options_.neighbours);
    const auto large = nearest_tokens(prompt, embedding, options_.neighbours, Closeness::dot);
    const auto norms = row_norms(prompt);
    Json rows = Json::array();
    for (std::size_t r = 0; r < norms.size(); ++r)
      rows.push_back({{"row", r}, {"norm", norms[r]}, {"cosine", list_of(near[r])}, {"dot", list_of(large[r])}});
    json_["rows"] = std::move(rows);
    json_["vocabulary_norm"] = mean_of(row_norms(embedding));
    add_measures(prompt, embedding);
    add_clusters(prompt, embedding);
    add_repeated(near);
    if (copies_.empty()) return;
    add_drift([&](const Folder& folder) { return std::vector<Tensor>{prompt_rows(folder)}; });
    add_words(embedding);
  }

  /// The numbers of one set of rows, in the order of their names.
  [[nodiscard]] std::vector<std::pair<std::string, double>> measures_of(const Tensor& rows, const Tensor& embedding) const {
    const auto near = nearest_tokens(rows, embedding, options_.neighbours);
    std::vector<double> largest;
    std::map<std::int32_t, int> nearest;
    for (const auto& list : near) {
      if (list.empty()) continue;
      largest.push_back(static_cast<double>(list.front().cosine));
      ++nearest[list.front().id];
    }
    const auto count = static_cast<std::size_t>(rows.dim(0));
    const auto alone = std::ranges::count_if(nearest, [](const auto& entry) { return entry.second == 1; });
    const auto cosines = cosine_matrix(rows);
    return {{"mean cosine with the nearest word", mean_of(largest)},
            {"share of rows whose nearest word is theirs alone", static_cast<double>(alone) / static_cast<double>(count)},
            {"mean cosine of a row's neighbours to each other", mean_of(tightness(near, embedding))},
            {"mean cosine of rows to each other", mean_off_diagonal(cosines, count)},
            {"clusters", static_cast<double>(clusters_of(cosines, count, options_.cluster_threshold).size())}};
  }

  void add_measures(const Tensor& prompt, const Tensor& embedding) {
    const auto own = measures_of(prompt, embedding), other = measures_of(random_like(prompt, options_.seed), embedding);
    std::vector<std::pair<std::string, double>> start;
    if (!copies_.empty() && copies_.front().step == 0) start = measures_of(prompt_rows(copies_.front().folder), embedding);
    Json measures = Json::array();
    for (std::size_t i = 0; i < own.size(); ++i) {
      Json one = {{"name", own[i].first}, {"prompt", own[i].second}, {"random", other[i].second}};
      if (!start.empty()) one["start"] = start[i].second;
      measures.push_back(std::move(one));
    }
    json_["measures"] = std::move(measures);
  }

  void add_clusters(const Tensor& prompt, const Tensor& embedding) {
    const auto count = static_cast<std::size_t>(prompt.dim(0));
    const auto cosines = cosine_matrix(prompt);
    const auto groups = clusters_of(cosines, count, options_.cluster_threshold);
    Json order = Json::array(), ordered = Json::array(), list = Json::array();
    std::vector<std::size_t> rows;
    for (const auto& group : groups) {
      rows.insert(rows.end(), group.begin(), group.end());
      list.push_back({{"rows", group}, {"words", list_of(nearest_tokens(mean_row(prompt, group), embedding, options_.neighbours).front())}});
    }
    for (const auto r : rows) {
      order.push_back(r);
      for (const auto s : rows) ordered.push_back(cosines[r * count + s]);
    }
    json_["clusters"] = {{"threshold", options_.cluster_threshold}, {"order", order}, {"cosines", ordered}, {"groups", list}};
  }

  [[nodiscard]] static Tensor mean_row(const Tensor& prompt, const std::vector<std::size_t>& rows) {
    Tensor mean(Dtype::f32, {1, prompt.dim(1)});
    const auto to = mean.values<float>();
    for (const auto r : rows) {
      const Tensor row = prompt.rows(static_cast<std::int64_t>(r), 1).to(Dtype::f32);
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += std::as_const(row).values<float>()[i] / static_cast<float>(rows.size());
    }
    return mean;
  }

  void add_repeated(const std::vector<std::vector<Neighbour>>& near) {
    std::map<std::int32_t, int> rows;
    for (const auto& list : near) {
      for (const auto& neighbour : list) ++rows[neighbour.id];
    }
    std::vector<std::pair<std::int32_t, int>> sorted(rows.begin(), rows.end());
    std::ranges::stable_sort(sorted, std::greater<>(), &std::pair<std::int32_t, int>::second);
    Json repeated = Json::array();
    for (const auto& [id, count] : sorted) {
      constexpr std::size_t kMost = 20;
      if (count > 1 && repeated.size() < kMost) repeated.push_back({{"token", token(id)}, {"rows", count}});
    }
    json_["repeated"] = std::move(repeated);
  }

  /// `read`: the trained matrices of a folder, in the same order for all.
  template <class Read>
  void add_drift(const Read& read) {
    if (copies_.empty()) return;
    const std::vector<Tensor> start = read(copies_.front().folder);
    const auto drift_to = [&](const Folder& folder) {
      const std::vector<Tensor> now = read(folder);
      Drift mean;
      for (std::size_t i = 0; i < start.size(); ++i) {
        const Drift one = drift_of(start[i], now.at(i));
        mean.distance += one.distance / static_cast<double>(start.size());
        mean.cosine += one.cosine / static_cast<double>(start.size());
        mean.distances.insert(mean.distances.end(), one.distances.begin(), one.distances.end());
      }
      return mean;
    };
    Json drift = Json::array();
    for (const auto& [step, folder] : copies_) {
      const Drift to = drift_to(folder);
      drift.push_back({{"step", step}, {"distance", to.distance}, {"cosine", to.cosine}});
    }
    json_["drift"] = std::move(drift);
    const Drift end = drift_to(adapter_);
    json_["end"] = {{"distance", end.distance}, {"cosine", end.cosine}, {"row_distances", end.distances}};
  }

  /// The words that are followed.
  [[nodiscard]] std::vector<std::string> words() const {
    if (!options_.words.empty()) return options_.words;
    if (const auto task = TextTask::read(adapter_); task && task->classifies()) return LabelMap::parse(task->labels).words();
    const auto tasks = EncoderTask::read(adapter_);
    return tasks && tasks->size() == 1 ? tasks->front().class_names() : std::vector<std::string>();
  }

  void add_words(const Tensor& embedding) {
    Json all = Json::array();
    EncodeOptions plain;
    plain.add_special_tokens = false;
    for (const auto& word : words()) {
      const auto ids = tokenizer_->encode(word, plain).ids;
      if (ids.empty()) continue;
      Json steps = Json::array();
      const std::vector<float> vector = mean_embedding(embedding, ids);
      for (const auto& [step, folder] : copies_) {
        const ClosestRow closest = closest_row(vector, prompt_rows(folder), embedding);
        steps.push_back({{"step", step}, {"row", closest.row}, {"cosine", closest.cosine}, {"rank", closest.rank}});
      }
      all.push_back({{"word", word}, {"steps", std::move(steps)}});
    }
    json_["words"] = std::move(all);
  }

  [[nodiscard]] static std::vector<float> mean_embedding(const Tensor& embedding, const std::vector<std::int32_t>& ids) {
    std::vector<float> mean(static_cast<std::size_t>(embedding.dim(1)));
    for (const auto id : ids) {
      const Tensor row = embedding.rows(id, 1).to(Dtype::f32);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += std::as_const(row).values<float>()[i] / static_cast<float>(ids.size());
    }
    return mean;
  }

  void add_prefix(const PrefixSlot& slot) {
    json_["kind"] = "prefix";
    std::vector<std::int32_t> tokens;
    const auto vocabulary = std::min(model_->vocabulary(), static_cast<std::int64_t>(tokenizer_->size()));
    for (std::int32_t id = 0; id < vocabulary && std::ssize(tokens) < options_.prefix_tokens; ++id) {
      if (!tokenizer_->is_special(id) && tokenizer_->id_to_token(id)) tokens.push_back(id);
    }
    json_["compared_tokens"] = tokens.size();
    PrefixSlot random;
    for (const auto& [site, table] : slot)
      random.emplace(site, SitePrefixTable{PackedRows{random_like(table.packed().rows, options_.seed)}, table.heads, table.head_dim, table.pair_of_layer});
    const auto by_chance = resembled_words(*model_, random, tokens, 1);
    Json layers = Json::array();
    for (const auto& words : resembled_words(*model_, slot, tokens, options_.neighbours)) {
      Json keys = Json::array(), values = Json::array();
      for (const auto& list : words.keys) keys.push_back(list_of(list));
      for (const auto& list : words.values) values.push_back(list_of(list));
      json_["tokens"] = words.keys.size();
      const ResembledWords& other = by_chance[layers.size()];
      layers.push_back({{"site", name_of(words.site)},
                        {"layer", words.layer},
                        {"keys", std::move(keys)},
                        {"values", std::move(values)},
                        {"largest", {{"keys", mean_largest(words.keys)}, {"values", mean_largest(words.values)}}},
                        {"random", {{"keys", mean_largest(other.keys)}, {"values", mean_largest(other.values)}}}});
    }
    json_["sites"] = std::move(layers);
    add_drift([&](const Folder& folder) {
      const auto method = open_adapters({folder}, *model_);
      const auto* prefix = dynamic_cast<const PrefixTuning*>(method.get());
      require<FileError>(prefix != nullptr, "{}: not a prefix; wanted a copy of {}", folder.string(), adapter_.string());
      std::vector<Tensor> tables;
      for (const auto& [site, table] : prefix->slots().front()) tables.push_back(table.packed().rows);
      return tables;
    });
  }

  /// Mean over rows of the cosine with the nearest word.
  [[nodiscard]] static double mean_largest(const std::vector<std::vector<Neighbour>>& rows) {
    std::vector<double> largest;
    for (const auto& list : rows) {
      if (!list.empty()) largest.push_back(static_cast<double>(list.front().cosine));
    }
    return mean_of(largest);
  }

  const Folder& adapter_;
  const ReportOptions& options_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<LanguageModel> model_;
  std::vector<Copy> copies_;
  std::unique_ptr<Method> method_;
  Json json_;
};

}  // namespace

Json report_facts(const Folder& adapter, const Folder& model, const ReportOptions& options) { return Report(adapter, model, options).run(); }

}  // namespace preamble
