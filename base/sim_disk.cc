// SPDX-License-Identifier: Apache-2.0
#include "base/sim_disk.h"

#include <algorithm>

namespace tidegate {
namespace {

using NameKey = std::pair<const SimDirectory*, std::string>;

void apply(SimNames& names, const SimNameChange& change) {
  if (change.node) {
    names[change.name] = change.node;
  } else {
    names.erase(change.name);
  }
}

void make_durable(const SimNameOp& op) {
  for (const SimNameChange& change : op) apply(change.dir->durable, change);
}

class TreeCopy {
 public:
  enum class Take : std::uint8_t { kDurable, kFlushed };
  explicit TreeCopy(Take take) : take_(take) {}

  std::shared_ptr<SimDirectory> copy(const SimDirectory& from) {
    auto out = std::make_shared<SimDirectory>();
    for (const auto& [name, node] : take_ == Take::kDurable ? from.durable : from.now) {
      out->now[name] =
          node.dir != nullptr ? SimNode{nullptr, copy(*node.dir)} : SimNode{copy(node.file), nullptr};
    }
    out->durable = out->now;
    return out;
  }

 private:
  std::shared_ptr<SimFileNode> copy(const std::shared_ptr<SimFileNode>& from) {
    std::shared_ptr<SimFileNode>& out = files_[from.get()];
    if (out == nullptr) {
      out = std::make_shared<SimFileNode>();
      out->content = from->content;
      if (take_ == Take::kFlushed) out->content.sync();
      out->content.drop_unsynced();
    }
    return out;
  }

  Take take_;
  std::map<const SimFileNode*, std::shared_ptr<SimFileNode>> files_;
};

}  // namespace

std::shared_ptr<SimDirectory> copy_tree(const SimDirectory& from, bool flushed) {
  return TreeCopy(flushed ? TreeCopy::Take::kFlushed : TreeCopy::Take::kDurable).copy(from);
}

std::vector<std::string> split_sim_path(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at && path.compare(at, end - at, ".") != 0) out.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Error not_found_in_sim(const std::string& path) {
  return Error(ErrorCode::kNotFound, "no such file or folder").at_path(path);
}

Status SimDisk::before(EffectKind kind, const std::string& path, std::optional<std::uint64_t> of_generation) {
  {
    const std::lock_guard guard(mutex);
    TG_CHECK(alive(path, of_generation));
    ++counts[static_cast<std::size_t>(kind)];
  }
  if (!hook) return {};
  try {
    hook(kind, path);
  } catch (...) {
    const std::lock_guard guard(mutex);
    dead = true;
    throw;
  }
  return {};
}

Status SimDisk::alive(const std::string& path, std::optional<std::uint64_t> of_generation) const {
  if (!dead && of_generation.value_or(generation) == generation) return {};
  return Error(ErrorCode::kClosed, "the simulated process is dead").at_path(path);
}

Result<std::unique_lock<std::mutex>> SimDisk::begin(EffectKind kind, const std::string& path) {
  TG_CHECK(before(kind, path));
  std::unique_lock guard(mutex);
  TG_CHECK(alive(path));
  TG_CHECK(fail_if_due(kind, path));
  return guard;
}

std::optional<SimFault> SimDisk::due_fault(EffectKind kind, const std::string& path) {
  for (auto it = faults.begin(); it != faults.end(); ++it) {
    if (it->kind != kind || path.find(it->path_contains) == std::string::npos) continue;
    if (it->skip > 0) {
      --it->skip;
      continue;
    }
    SimFault fault = *it;
    if (!fault.sticky) faults.erase(it);
    return fault;
  }
  return {};
}

Status SimDisk::fail_if_due(EffectKind kind, const std::string& path) {
  if (const auto fault = due_fault(kind, path)) return Error(fault->code, "injected fault").at_path(path);
  return {};
}

Result<SimDisk::Place> SimDisk::find(const std::string& path) const {
  std::vector<std::string> parts = split_sim_path(path);
  if (parts.empty())
    return Error(ErrorCode::kInvalidArgument, "the root itself is not allowed here").at_path(path);
  Place place{root, std::move(parts.back()), {}};
  parts.pop_back();
  for (const std::string& part : parts) {
    const auto it = place.dir->now.find(part);
    if (it == place.dir->now.end() || it->second.dir == nullptr) return not_found_in_sim(path);
    place.dir = it->second.dir;
  }
  const auto it = place.dir->now.find(place.name);
  if (it != place.dir->now.end()) place.node = it->second;
  return place;
}

std::shared_ptr<SimDirectory> SimDisk::find_dir(const std::string& path) const {
  if (split_sim_path(path).empty()) return root;
  const auto place = find(path);
  return place.ok() ? place->node.dir : nullptr;
}

std::shared_ptr<SimFileNode> SimDisk::find_file(const std::string& path) const {
  const auto place = find(path);
  return place.ok() ? place->node.file : nullptr;
}

void SimDisk::change_names(SimNameOp op) {
  for (const SimNameChange& change : op) {
    const auto it = change.dir->now.find(change.name);
    const SimNode replaced = it != change.dir->now.end() ? it->second : SimNode{};
    if (change.node.file != nullptr) ++change.node.file->links;
    unlink(replaced);
    apply(change.dir->now, change);
  }
  pending.push_back(std::move(op));
}

void SimDisk::unlink(const SimNode& node) {
  if (node.file == nullptr) return;
  --node.file->links;
  release(*node.file);
}

void SimDisk::settle(const std::function<bool(const SimNameChange&)>& wanted) {
  std::set<NameKey> needed;
  std::vector<SimNameOp> now;
  std::vector<SimNameOp> later;
  for (auto op = pending.rbegin(); op != pending.rend(); ++op) {
    const bool take = std::any_of(op->begin(), op->end(), [&](const SimNameChange& change) {
      return wanted(change) || needed.contains({change.dir.get(), change.name});
    });
    if (take) {
      for (const SimNameChange& change : *op) needed.insert({change.dir.get(), change.name});
    }
    (take ? now : later).push_back(std::move(*op));
  }
  std::for_each(now.rbegin(), now.rend(), make_durable);
  pending.assign(std::make_move_iterator(later.rbegin()), std::make_move_iterator(later.rend()));
}

// A change survives only if every earlier change of its names did.
void SimDisk::drop_names(SimRandom& random) {
  static constexpr unsigned kPercent[] = {0, 50, 90, 100};
  const unsigned kept_percent = kPercent[random.below(std::size(kPercent))];
  const bool in_order = random.chance(1, 2);  // a journalling file system loses a tail
  std::set<NameKey> lost;
  bool tail_lost = false;
  for (const SimNameOp& op : pending) {
    bool survives = random.below(100) < kept_percent && !(in_order && tail_lost);
    for (const SimNameChange& change : op)
      survives = survives && !lost.contains({change.dir.get(), change.name});
    if (survives) {
      make_durable(op);
      continue;
    }
    tail_lost = true;
    for (const SimNameChange& change : op) lost.insert({change.dir.get(), change.name});
  }
  pending.clear();
}

namespace {

void each_file(SimDirectory& dir, const std::function<void(SimFileNode&)>& visit) {
  for (auto& [name, node] : dir.now) {
    if (node.dir != nullptr) each_file(*node.dir, visit);
    if (node.file != nullptr) visit(*node.file);
  }
}

void show_durable_names(SimDirectory& dir) {
  dir.now = dir.durable;
  for (auto& [name, node] : dir.now) {
    if (node.dir != nullptr) show_durable_names(*node.dir);
  }
}

}  // namespace

void SimDisk::power_cut(SimRandom& random) {
  drop_names(random);
  show_durable_names(*root);
  each_file(*root, [&](SimFileNode& file) { file.content.power_cut(random); });
  start_again();
}

void SimDisk::start_again() {
  ++generation;
  dead = false;
  locked.clear();
  used = 0;
  each_file(*root, [](SimFileNode& file) { file.links = file.handles = 0; });
  each_file(*root, [this](SimFileNode& file) {
    if (file.links++ == 0) used += file.content.size();
  });
}

Status SimDisk::write(SimFileNode& file, const std::string& path, std::uint64_t offset, ByteView data) {
  const auto fault = due_fault(EffectKind::kWrite, path);
  if (fault) data = data.first(std::min(data.size(), fault->written));
  const std::uint64_t size = file.content.size();
  const std::uint64_t grows = std::max(offset + data.size(), size) - size;
  if (used + grows > capacity) {
    return Error(ErrorCode::kNoSpace, "the simulated disk of " + std::to_string(capacity) + " bytes is full")
        .at_path(path);
  }
  file.content.write(offset, data);
  used += file.content.size() - size;
  if (fault) return Error(fault->code, "injected fault").at_path(path);
  return {};
}

}  // namespace tidegate
