// SPDX-License-Identifier: Apache-2.0
#include "base/sim_env.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/sim_inode.h"

namespace tidegate {

std::uint64_t SimRandom::next() {
  constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15;
  std::uint64_t z = state_.fetch_add(kStep, std::memory_order_relaxed) + kStep;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

void SimRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::uint64_t word = next();
    const std::size_t part = std::min(out.size(), sizeof(word));
    std::memcpy(out.data(), &word, part);
    out = out.subspan(part);
  }
}

namespace {

struct Directory;

struct FileNode {
  SimInode content;
  std::uint32_t links = 0;    // names that the running system sees
  std::uint32_t handles = 0;  // open now
};

struct Node {
  std::shared_ptr<FileNode> file;
  std::shared_ptr<Directory> dir;
  explicit operator bool() const { return file != nullptr || dir != nullptr; }
};

using Names = std::map<std::string, Node>;

struct Directory {
  Names now;
  Names durable;
};

// One entry of a folder gets another meaning; an empty node removes it.
struct NameChange {
  std::shared_ptr<Directory> dir;
  std::string name;
  Node node;
};
using NameOp = std::vector<NameChange>;  // happens as a whole

using NameKey = std::pair<const Directory*, std::string>;

void apply(Names& names, const NameChange& change) {
  if (change.node) {
    names[change.name] = change.node;
  } else {
    names.erase(change.name);
  }
}

void make_durable(const NameOp& op) {
  for (const NameChange& change : op) apply(change.dir->durable, change);
}

// Copies a tree: content, names, and which names are hard links of the same file.
class TreeCopy {
 public:
  enum class Take : std::uint8_t { kDurable, kFlushed };
  explicit TreeCopy(Take take) : take_(take) {}

  std::shared_ptr<Directory> copy(const Directory& from) {
    auto out = std::make_shared<Directory>();
    for (const auto& [name, node] : take_ == Take::kDurable ? from.durable : from.now) {
      out->now[name] = node.dir != nullptr ? Node{nullptr, copy(*node.dir)} : Node{copy(node.file), nullptr};
    }
    out->durable = out->now;
    return out;
  }

 private:
  std::shared_ptr<FileNode> copy(const std::shared_ptr<FileNode>& from) {
    std::shared_ptr<FileNode>& out = files_[from.get()];
    if (out == nullptr) {
      out = std::make_shared<FileNode>();
      out->content = from->content;
      if (take_ == Take::kFlushed) out->content.sync();
      out->content.drop_unsynced();
    }
    return out;
  }

  Take take_;
  std::map<const FileNode*, std::shared_ptr<FileNode>> files_;
};

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    if (end > at && path.compare(at, end - at, ".") != 0) out.push_back(path.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Error not_found(const std::string& path) {
  return Error(ErrorCode::kNotFound, "no such file or folder").at_path(path);
}

}  // namespace

// Everything behind one mutex. `generation` counts deaths of the process: a handle of an earlier one is dead.
struct SimDisk {
  mutable std::mutex mutex;
  std::shared_ptr<Directory> root = std::make_shared<Directory>();
  std::vector<NameOp> pending;  // un-synced, in order
  std::set<const FileNode*> locked;
  std::uint64_t generation = 0;
  bool dead = false;
  bool lying = false;
  std::uint64_t capacity = std::uint64_t{1} << 50;
  std::uint64_t used = 0;
  std::vector<SimFault> faults;
  std::array<std::uint64_t, kEffectKinds> counts{};
  SimFileSystem::EffectHook hook;

  struct Place {
    std::shared_ptr<Directory> dir;
    std::string name;
    Node node;  // empty when the name is not there
  };

  // Runs the hook. Without the lock, so that a hook may look at the disk.
  Status before(EffectKind kind, const std::string& path, std::optional<std::uint64_t> of_generation = {});
  // before(), the lock, and the fault that is due; for effects on names.
  Result<std::unique_lock<std::mutex>> begin(EffectKind kind, const std::string& path);
  // Precondition for what follows: the lock is held.
  Status alive(const std::string& path, std::optional<std::uint64_t> of_generation = {}) const;
  std::optional<SimFault> due_fault(EffectKind kind, const std::string& path);
  Status fail_if_due(EffectKind kind, const std::string& path);
  Result<Place> find(const std::string& path) const;
  std::shared_ptr<Directory> find_dir(const std::string& path) const;
  std::shared_ptr<FileNode> find_file(const std::string& path) const;
  void change_names(NameOp op);
  void unlink(const Node& node);
  void settle(const std::function<bool(const NameChange&)>& wanted);
  void drop_names(SimRandom& random);
  void power_cut_content(SimRandom& random);
  void start_again();
  Status write(FileNode& file, const std::string& path, std::uint64_t offset, ByteView data);
  void release(const FileNode& file) {
    if (file.links == 0 && file.handles == 0) used -= file.content.size();
  }
};

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
  std::vector<std::string> parts = split(path);
  if (parts.empty())
    return Error(ErrorCode::kInvalidArgument, "the root itself is not allowed here").at_path(path);
  Place place{root, std::move(parts.back()), {}};
  parts.pop_back();
  for (const std::string& part : parts) {
    const auto it = place.dir->now.find(part);
    if (it == place.dir->now.end() || it->second.dir == nullptr) return not_found(path);
    place.dir = it->second.dir;
  }
  const auto it = place.dir->now.find(place.name);
  if (it != place.dir->now.end()) place.node = it->second;
  return place;
}

std::shared_ptr<Directory> SimDisk::find_dir(const std::string& path) const {
  if (split(path).empty()) return root;
  const auto place = find(path);
  return place.ok() ? place->node.dir : nullptr;
}

std::shared_ptr<FileNode> SimDisk::find_file(const std::string& path) const {
  const auto place = find(path);
  return place.ok() ? place->node.file : nullptr;
}

void SimDisk::change_names(NameOp op) {
  for (const NameChange& change : op) {
    const auto it = change.dir->now.find(change.name);
    const Node replaced = it != change.dir->now.end() ? it->second : Node{};
    if (change.node.file != nullptr) ++change.node.file->links;
    unlink(replaced);
    apply(change.dir->now, change);
  }
  pending.push_back(std::move(op));
}

void SimDisk::unlink(const Node& node) {
  if (node.file == nullptr) return;
  --node.file->links;
  release(*node.file);
}

// Makes durable the wanted changes, what happened with them, and what happened to the same names before.
void SimDisk::settle(const std::function<bool(const NameChange&)>& wanted) {
  std::set<NameKey> needed;
  std::vector<NameOp> now;
  std::vector<NameOp> later;
  for (auto op = pending.rbegin(); op != pending.rend(); ++op) {
    const bool take = std::any_of(op->begin(), op->end(), [&](const NameChange& change) {
      return wanted(change) || needed.contains({change.dir.get(), change.name});
    });
    if (take) {
      for (const NameChange& change : *op) needed.insert({change.dir.get(), change.name});
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
  for (const NameOp& op : pending) {
    bool survives = random.below(100) < kept_percent && !(in_order && tail_lost);
    for (const NameChange& change : op)
      survives = survives && !lost.contains({change.dir.get(), change.name});
    if (survives) {
      make_durable(op);
      continue;
    }
    tail_lost = true;
    for (const NameChange& change : op) lost.insert({change.dir.get(), change.name});
  }
  pending.clear();
}

namespace {

void each_file(Directory& dir, const std::function<void(FileNode&)>& visit) {
  for (auto& [name, node] : dir.now) {
    if (node.dir != nullptr) each_file(*node.dir, visit);
    if (node.file != nullptr) visit(*node.file);
  }
}

void show_durable_names(Directory& dir) {
  dir.now = dir.durable;
  for (auto& [name, node] : dir.now) {
    if (node.dir != nullptr) show_durable_names(*node.dir);
  }
}

}  // namespace

void SimDisk::power_cut_content(SimRandom& random) {
  each_file(*root, [&](FileNode& file) { file.content.power_cut(random); });
}

void SimDisk::start_again() {
  ++generation;
  dead = false;
  locked.clear();
  used = 0;
  each_file(*root, [](FileNode& file) { file.links = file.handles = 0; });
  each_file(*root, [this](FileNode& file) {
    if (file.links++ == 0) used += file.content.size();
  });
}

Status SimDisk::write(FileNode& file, const std::string& path, std::uint64_t offset, ByteView data) {
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

namespace {

class SimFile final : public File {
 public:
  // Precondition: the lock is held.
  SimFile(std::shared_ptr<SimDisk> disk, std::shared_ptr<FileNode> node, std::string path, bool writable)
      : disk_(std::move(disk)),
        node_(std::move(node)),
        path_(std::move(path)),
        generation_(disk_->generation),
        writable_(writable) {
    ++node_->handles;
  }
  ~SimFile() override {
    const std::lock_guard guard(disk_->mutex);
    if (generation_ != disk_->generation) return;
    --node_->handles;
    disk_->release(*node_);
  }

  Status write_at(std::uint64_t offset, ByteView data) override {
    TG_CHECK(check_writable());
    try {
      TG_CHECK(disk_->before(EffectKind::kWrite, path_, generation_));
    } catch (const SimCrash& crash) {
      const std::lock_guard guard(disk_->mutex);
      const ByteView part = data.first(std::min(crash.written, data.size()));
      if (generation_ == disk_->generation) (void)disk_->write(*node_, path_, offset, part);
      throw;
    }
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path_, generation_));
    return disk_->write(*node_, path_, offset, data);
  }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> out) override {
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path_, generation_));
    if (!disk_->faults.empty()) TG_CHECK(disk_->fail_if_due(EffectKind::kRead, path_));
    return node_->content.read(offset, out);
  }

  Status sync() override {
    TG_CHECK(disk_->before(EffectKind::kSync, path_, generation_));
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path_, generation_));
    if (const auto fault = disk_->due_fault(EffectKind::kSync, path_)) {
      if (fault->lose_unsynced) node_->content.lose_unsynced();
      return Error(fault->code, "injected fault").at_path(path_);
    }
    if (!disk_->lying) node_->content.sync();
    return {};
  }

  Status truncate(std::uint64_t size) override {
    TG_CHECK(check_writable());
    TG_CHECK(disk_->before(EffectKind::kTruncate, path_, generation_));
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path_, generation_));
    TG_CHECK(disk_->fail_if_due(EffectKind::kTruncate, path_));
    const std::uint64_t old_size = node_->content.size();
    if (size > old_size && disk_->used + (size - old_size) > disk_->capacity) {
      return Error(ErrorCode::kNoSpace, "the simulated disk is full").at_path(path_);
    }
    node_->content.truncate(size);
    disk_->used += size - old_size;
    return {};
  }

  Result<std::uint64_t> size() override {
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path_, generation_));
    return node_->content.size();
  }

 private:
  Status check_writable() const {
    if (writable_) return {};
    return Error(ErrorCode::kInvalidArgument, "the file was opened for reading only").at_path(path_);
  }

  const std::shared_ptr<SimDisk> disk_;
  const std::shared_ptr<FileNode> node_;
  const std::string path_;
  const std::uint64_t generation_;
  const bool writable_;
};

class SimLock final : public FileLock {
 public:
  SimLock(std::shared_ptr<SimDisk> disk, std::shared_ptr<FileNode> node)
      : disk_(std::move(disk)), node_(std::move(node)), generation_(disk_->generation) {
    disk_->locked.insert(node_.get());
  }
  ~SimLock() override {
    const std::lock_guard guard(disk_->mutex);
    if (generation_ == disk_->generation) disk_->locked.erase(node_.get());
  }

 private:
  const std::shared_ptr<SimDisk> disk_;
  const std::shared_ptr<FileNode> node_;
  const std::uint64_t generation_;
};

}  // namespace

SimFileSystem::SimFileSystem() : disk_(std::make_shared<SimDisk>()) {}
SimFileSystem::~SimFileSystem() = default;

Result<std::unique_ptr<File>> SimFileSystem::open(const std::string& path, OpenMode mode) {
  std::unique_lock guard(disk_->mutex);
  TG_CHECK(disk_->alive(path));
  TG_TRY(auto place, disk_->find(path));
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kOpenOrCreate;
  if (!place.node && !creates) return not_found(path);
  if (!place.node) {
    guard.unlock();
    TG_TRY(guard, disk_->begin(EffectKind::kCreate, path));
    TG_TRY(place, disk_->find(path));
  }
  if (place.node.dir != nullptr) return Error(ErrorCode::kIo, "it is a folder").at_path(path);
  if (place.node && mode == OpenMode::kCreate) {
    return Error(ErrorCode::kAlreadyExists, "cannot create the file").at_path(path);
  }
  if (!place.node) {
    place.node.file = std::make_shared<FileNode>();
    disk_->change_names({{place.dir, place.name, place.node}});
  }
  return std::unique_ptr<File>(
      std::make_unique<SimFile>(disk_, place.node.file, path, mode != OpenMode::kRead));
}

Status SimFileSystem::make_dirs(const std::string& path) {
  {
    const std::lock_guard guard(disk_->mutex);
    TG_CHECK(disk_->alive(path));
    if (disk_->find_dir(path) != nullptr) return {};
  }
  TG_TRY(const auto guard, disk_->begin(EffectKind::kMakeDir, path));
  std::shared_ptr<Directory> dir = disk_->root;
  for (const std::string& name : split(path)) {
    Node& node = dir->now[name];
    if (node.file != nullptr) return Error(ErrorCode::kAlreadyExists, "a file is in the way").at_path(path);
    if (node.dir == nullptr) {
      disk_->settle([&](const NameChange& c) { return c.dir == dir && c.name == name; });
      node.dir = std::make_shared<Directory>();
      dir->durable[name] = node;
    }
    dir = node.dir;
  }
  return {};
}

Result<std::vector<std::string>> SimFileSystem::list(const std::string& path) {
  const std::lock_guard guard(disk_->mutex);
  TG_CHECK(disk_->alive(path));
  const auto dir = disk_->find_dir(path);
  if (dir == nullptr) return not_found(path);
  std::vector<std::string> names;
  for (const auto& [name, node] : dir->now) names.push_back(name);
  return names;
}

bool SimFileSystem::exists(const std::string& path) {
  const std::lock_guard guard(disk_->mutex);
  return disk_->find_dir(path) != nullptr || disk_->find_file(path) != nullptr;
}

Status SimFileSystem::remove(const std::string& path) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kRemove, path));
  TG_TRY(auto place, disk_->find(path));
  if (!place.node) return not_found(path);
  if (place.node.dir != nullptr && !place.node.dir->now.empty()) {
    return Error(ErrorCode::kIo, "the folder is not empty").at_path(path);
  }
  disk_->change_names({{place.dir, place.name, {}}});
  return {};
}

Status SimFileSystem::rename(const std::string& from, const std::string& to) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kRename, to));
  TG_TRY(auto source, disk_->find(from));
  TG_TRY(auto target, disk_->find(to));
  if (!source.node) return not_found(from);
  if (target.node.dir != nullptr || (target.node && source.node.dir != nullptr)) {
    return Error(ErrorCode::kAlreadyExists, "cannot rename " + from + " to it").at_path(to);
  }
  if (source.node.file != nullptr && source.node.file == target.node.file) return {};
  disk_->change_names({{target.dir, target.name, source.node}, {source.dir, source.name, {}}});
  return {};
}

Status SimFileSystem::hard_link(const std::string& from, const std::string& to) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kHardLink, to));
  const auto file = disk_->find_file(from);
  if (file == nullptr) return not_found(from);
  TG_TRY(auto target, disk_->find(to));
  if (target.node) return Error(ErrorCode::kAlreadyExists, "cannot link " + from + " to it").at_path(to);
  disk_->change_names({{target.dir, target.name, {file, nullptr}}});
  return {};
}

Status SimFileSystem::sync_dir(const std::string& path) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kSyncDir, path));
  const auto dir = disk_->find_dir(path);
  if (dir == nullptr) return not_found(path);
  if (!disk_->lying) disk_->settle([&](const NameChange& change) { return change.dir == dir; });
  return {};
}

Result<SpaceInfo> SimFileSystem::space(const std::string&) {
  const std::lock_guard guard(disk_->mutex);
  return SpaceInfo{disk_->capacity - std::min(disk_->used, disk_->capacity), disk_->capacity};
}

Result<std::unique_ptr<FileLock>> SimFileSystem::lock(const std::string& path) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kLock, path));
  TG_TRY(auto place, disk_->find(path));
  if (place.node.dir != nullptr) return Error(ErrorCode::kIo, "it is a folder").at_path(path);
  if (!place.node) {
    place.node.file = std::make_shared<FileNode>();
    disk_->change_names({{place.dir, place.name, place.node}});
  }
  if (disk_->locked.contains(place.node.file.get())) {
    return Error(ErrorCode::kLocked, "another simulated process holds it").at_path(path);
  }
  return std::unique_ptr<FileLock>(std::make_unique<SimLock>(disk_, place.node.file));
}

void SimFileSystem::on_effect(EffectHook hook) {
  disk_->hook = std::move(hook);
}

void SimFileSystem::process_crash() {
  const std::lock_guard guard(disk_->mutex);
  disk_->start_again();
}

void SimFileSystem::power_cut(SimRandom& random) {
  const std::lock_guard guard(disk_->mutex);
  disk_->drop_names(random);
  show_durable_names(*disk_->root);
  disk_->power_cut_content(random);
  disk_->start_again();
}

SimSnapshot SimFileSystem::snapshot(bool flushed) const {
  const std::lock_guard guard(disk_->mutex);
  SimSnapshot out;
  out.root_ = TreeCopy(flushed ? TreeCopy::Take::kFlushed : TreeCopy::Take::kDurable).copy(*disk_->root);
  return out;
}

void SimFileSystem::restore(const SimSnapshot& snapshot) {
  const std::lock_guard guard(disk_->mutex);
  disk_->pending.clear();
  disk_->root =
      snapshot.root_ == nullptr
          ? std::make_shared<Directory>()
          : TreeCopy(TreeCopy::Take::kDurable).copy(*static_cast<const Directory*>(snapshot.root_.get()));
  disk_->start_again();
}

void SimFileSystem::wipe() {
  restore({});
}

void SimFileSystem::set_capacity(std::uint64_t bytes) {
  const std::lock_guard guard(disk_->mutex);
  disk_->capacity = bytes;
}

std::uint64_t SimFileSystem::used() const {
  const std::lock_guard guard(disk_->mutex);
  return disk_->used;
}

void SimFileSystem::inject(SimFault fault) {
  const std::lock_guard guard(disk_->mutex);
  disk_->faults.push_back(std::move(fault));
}

void SimFileSystem::clear_faults() {
  const std::lock_guard guard(disk_->mutex);
  disk_->faults.clear();
}

void SimFileSystem::lie_about_sync(bool lie) {
  const std::lock_guard guard(disk_->mutex);
  disk_->lying = lie;
}

Status SimFileSystem::rot(const std::string& path, std::uint64_t offset, unsigned bit) {
  const std::lock_guard guard(disk_->mutex);
  const auto file = disk_->find_file(path);
  if (file == nullptr || offset >= file->content.size()) return not_found(path);
  file->content.flip_bit(offset, bit);
  return {};
}

std::uint64_t SimFileSystem::effects(EffectKind kind) const {
  const std::lock_guard guard(disk_->mutex);
  return disk_->counts[static_cast<std::size_t>(kind)];
}

bool SimFileSystem::has_unsynced(const std::string& path) const {
  const std::lock_guard guard(disk_->mutex);
  const auto file = disk_->find_file(path);
  return file != nullptr && file->content.has_unsynced();
}

}  // namespace tidegate
