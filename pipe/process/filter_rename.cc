// SPDX-License-Identifier: Apache-2.0
#include "pipe/process/filter_rename.h"

#include <map>
#include <vector>

#include "pipe/engine/row_output.h"
#include "pipe/model/path.h"
#include "pipe/process/processor_state.h"

namespace tidegate {
namespace {

constexpr const char* kName = "filter-rename-processor";

std::string quote(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

// What happens to the rows of one table.
struct TableRule {
  bool kept = true;
  std::optional<std::string> new_name;
  NameSet excluded;
  NameMap renames;
};
using Rules = std::map<std::string, TableRule, std::less<>>;

Error contradiction(const std::string& table, const std::string& what) {
  return make_error(ErrorCode::kInvalidArgument,
                    std::string(kName) + ": table " + quote(table) + ": " + what);
}

Status check_rule(const std::string& table, const TableRule& rule) {
  NameMap old_names;  // by new name
  for (const auto& [from, to] : rule.renames) {
    if (rule.excluded.contains(from)) {
      return contradiction(table, "field " + quote(from) + " is both excluded and renamed: take one away");
    }
    if (const auto [other, is_new] = old_names.try_emplace(to, from); !is_new) {
      return contradiction(table, "fields " + quote(other->second) + " and " + quote(from) +
                                      " would both become " + quote(to));
    }
  }
  if (!rule.new_name || !table.starts_with("root.")) return {};
  if (const auto path = canonical_path(*rule.new_name); !path.ok() && canonical_path(table).ok()) {
    return contradiction(table, "its new name is no tree path: " + path.error().detail);
  }
  return {};
}

Result<Rules> make_rules(const FilterRenameOptions& options) {
  Rules rules;
  for (const std::string& table : options.tables) rules[table];
  for (const std::string& table : options.excluded_tables) {
    if (options.tables.contains(table)) return contradiction(table, "it is both wanted and excluded");
    rules[table];
  }
  for (const auto& [table, new_name] : options.table_renames) rules[table].new_name = new_name;
  for (const auto& [table, fields] : options.excluded_fields) rules[table].excluded = fields;
  for (const auto& [table, fields] : options.field_renames) rules[table].renames = fields;
  for (auto& [table, rule] : rules) {
    rule.kept = !options.excluded_tables.contains(table) &&
                (options.tables.empty() || options.tables.contains(table));
    TG_CHECK(check_rule(table, rule));
  }
  return rules;
}

class FilterRename final : public Processor {
 public:
  FilterRename(const FilterRenameOptions& options, Rules rules)
      : rules_(std::move(rules)), tree_level_(options.tree_level), drop_deletions_(options.drop_deletions) {
    others_.kept = options.tables.empty();
  }

  std::string describe() const override {
    return std::string(kName) + ", rules for " + std::to_string(rules_.size()) + " tables";
  }
  Status process(const BatchView& batch, std::vector<Batch>* out) override;
  Status restore(ByteView state) override { return expect_no_state(kName, state); }

 private:
  Status choose(const RowView& row);
  Status choose_device(const RowView& row);
  Status add(const RowView& row);
  Status check_distinct(const RowView& row) const;

  Rules rules_;
  TableRule others_;
  std::optional<std::size_t> tree_level_;
  bool drop_deletions_;
  // Of the row before, which most often has the same table.
  const TableRule* rule_ = nullptr;
  Addressing addressing_ = Addressing::kTable;
  std::string table_;                        // as it came; of a tree row the device path
  std::string target_;                       // the new table or device path
  std::vector<FieldView> fields_;            // of the row at hand, with their new names
  std::vector<std::string_view> old_names_;  // of fields_
  RowOutput output_;
};

// Sets rule_ and target_ for the row's table.
Status FilterRename::choose(const RowView& row) {
  const std::string_view table = row.addressing == Addressing::kTree ? row.device : row.table;
  if (rule_ != nullptr && row.addressing == addressing_ && table == table_) return {};
  rule_ = nullptr;
  addressing_ = row.addressing;
  table_ = table;
  if (row.addressing == Addressing::kTree) return choose_device(row);
  const auto found = rules_.find(table);
  rule_ = found == rules_.end() ? &others_ : &found->second;
  target_ = rule_->new_name.value_or(table_);
  return {};
}

Status FilterRename::choose_device(const RowView& row) {
  target_ = table_;
  if (!tree_level_) {
    const auto found = rules_.find(row.device);
    rule_ = found == rules_.end() ? &others_ : &found->second;
    if (!rule_->new_name) return {};
    TG_TRY(target_, canonical_path(*rule_->new_name));
    return {};
  }
  TG_TRY(std::vector<std::string> nodes, split_path(row.device));
  const auto found = *tree_level_ < nodes.size() ? rules_.find(nodes[*tree_level_]) : rules_.end();
  rule_ = found == rules_.end() ? &others_ : &found->second;
  if (!rule_->new_name) return {};
  nodes[*tree_level_] = *rule_->new_name;
  target_ = join_path(nodes);
  return {};
}

// Two fields of different names that came out with the same one, of whatever type: a target could not tell
// them apart.
Status FilterRename::check_distinct(const RowView& row) const {
  std::map<std::string_view, std::string_view> old_names;  // by new name
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto [other, is_new] = old_names.try_emplace(fields_[i].name, old_names_[i]);
    if (is_new || other->second == old_names_[i]) continue;
    return make_error(ErrorCode::kInvalidArgument,
                      std::string(kName) + ": in a row of table " + quote(table_) + " at time " +
                          std::to_string(row.time) + " the fields " + quote(other->second) + " and " +
                          quote(old_names_[i]) + " would both be called " + quote(fields_[i].name) +
                          ": exclude one (excluded-fields) or choose another name (field-renames)");
  }
  return {};
}

Status FilterRename::add(const RowView& row) {
  TG_CHECK(choose(row));
  if (!rule_->kept) return {};
  fields_.clear();
  old_names_.clear();
  bool renamed = false;
  for (const FieldView& field : row.fields) {
    if (rule_->excluded.contains(field.name)) continue;
    fields_.push_back(field);
    old_names_.push_back(field.name);
    const auto rename = rule_->renames.find(field.name);
    if (rename == rule_->renames.end()) continue;
    fields_.back().name = rename->second;
    renamed = true;
  }
  if (fields_.empty()) return {};
  if (renamed) TG_CHECK(check_distinct(row));
  RowView result = row;
  result.fields = fields_;
  (row.addressing == Addressing::kTree ? result.device : result.table) = target_;
  return output_.add(result);
}

Status FilterRename::process(const BatchView& batch, std::vector<Batch>* out) {
  const bool dropped = drop_deletions_ && batch.summary.kind == EventKind::kDeletion;
  if (dropped) return {};
  if (batch.summary.kind != EventKind::kRows) return out->push_back(copy_of(batch)), Status{};
  TG_CHECK(output_.begin(batch.canonical, out));
  TG_CHECK(try_each_row(batch.canonical, [&](const RowView& row) { return add(row); }));
  output_.finish();
  return {};
}

}  // namespace

Result<std::unique_ptr<Processor>> make_filter_rename_processor(const FilterRenameOptions& options) {
  TG_TRY(Rules rules, make_rules(options));
  return std::unique_ptr<Processor>(std::make_unique<FilterRename>(options, std::move(rules)));
}

}  // namespace tidegate
