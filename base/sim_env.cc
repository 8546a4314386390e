// SPDX-License-Identifier: Apache-2.0
#include "base/sim_env.h"

#include <algorithm>
#include <cstring>

#include "base/sim_disk.h"

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

class SimFile final : public File {
 public:
  // Precondition: the lock is held.
  SimFile(std::shared_ptr<SimDisk> disk, std::shared_ptr<SimFileNode> node, std::string path, bool writable)
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
  const std::shared_ptr<SimFileNode> node_;
  const std::string path_;
  const std::uint64_t generation_;
  const bool writable_;
};

class SimLock final : public FileLock {
 public:
  SimLock(std::shared_ptr<SimDisk> disk, std::shared_ptr<SimFileNode> node)
      : disk_(std::move(disk)), node_(std::move(node)), generation_(disk_->generation) {
    disk_->locked.insert(node_.get());
  }
  ~SimLock() override {
    const std::lock_guard guard(disk_->mutex);
    if (generation_ == disk_->generation) disk_->locked.erase(node_.get());
  }

 private:
  const std::shared_ptr<SimDisk> disk_;
  const std::shared_ptr<SimFileNode> node_;
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
  if (!place.node && !creates) return not_found_in_sim(path);
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
    place.node.file = std::make_shared<SimFileNode>();
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
  std::shared_ptr<SimDirectory> dir = disk_->root;
  for (const std::string& name : split_sim_path(path)) {
    SimNode& node = dir->now[name];
    if (node.file != nullptr) return Error(ErrorCode::kAlreadyExists, "a file is in the way").at_path(path);
    if (node.dir == nullptr) {
      disk_->settle([&](const SimNameChange& c) { return c.dir == dir && c.name == name; });
      node.dir = std::make_shared<SimDirectory>();
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
  if (dir == nullptr) return not_found_in_sim(path);
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
  if (!place.node) return not_found_in_sim(path);
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
  if (!source.node) return not_found_in_sim(from);
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
  if (file == nullptr) return not_found_in_sim(from);
  TG_TRY(auto target, disk_->find(to));
  if (target.node) return Error(ErrorCode::kAlreadyExists, "cannot link " + from + " to it").at_path(to);
  disk_->change_names({{target.dir, target.name, {file, nullptr}}});
  return {};
}

Status SimFileSystem::sync_dir(const std::string& path) {
  TG_TRY(const auto guard, disk_->begin(EffectKind::kSyncDir, path));
  const auto dir = disk_->find_dir(path);
  if (dir == nullptr) return not_found_in_sim(path);
  if (!disk_->lying) disk_->settle([&](const SimNameChange& change) { return change.dir == dir; });
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
    place.node.file = std::make_shared<SimFileNode>();
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
  disk_->power_cut(random);
}

SimSnapshot SimFileSystem::snapshot(bool flushed) const {
  const std::lock_guard guard(disk_->mutex);
  SimSnapshot out;
  out.root_ = copy_tree(*disk_->root, flushed);
  return out;
}

void SimFileSystem::restore(const SimSnapshot& snapshot) {
  const std::lock_guard guard(disk_->mutex);
  disk_->pending.clear();
  disk_->root = snapshot.root_ == nullptr
                    ? std::make_shared<SimDirectory>()
                    : copy_tree(*static_cast<const SimDirectory*>(snapshot.root_.get()), false);
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
  if (file == nullptr || offset >= file->content.size()) return not_found_in_sim(path);
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
