// SPDX-License-Identifier: Apache-2.0
// SimDisk: what stands behind a SimFileSystem and its open files. For base/sim_*.cc only.
//
// Folders are two maps of names, what the running system sees and what is durable; a change of names waits in
// a list until its folder is synced or the power is cut. Files are SimInodes.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/sim_env.h"
#include "base/sim_inode.h"

namespace tidegate {

struct SimDirectory;

struct SimFileNode {
  SimInode content;
  std::uint32_t links = 0;    // names that the running system sees
  std::uint32_t handles = 0;  // open now
};

struct SimNode {
  std::shared_ptr<SimFileNode> file;
  std::shared_ptr<SimDirectory> dir;
  explicit operator bool() const { return file != nullptr || dir != nullptr; }
};

using SimNames = std::map<std::string, SimNode>;

struct SimDirectory {
  SimNames now;
  SimNames durable;
};

// One entry of a folder gets another meaning; an empty node removes it.
struct SimNameChange {
  std::shared_ptr<SimDirectory> dir;
  std::string name;
  SimNode node;
};
using SimNameOp = std::vector<SimNameChange>;  // happens as a whole

// Everything behind one mutex. `generation` counts deaths of the process: a handle of an earlier one is dead.
struct SimDisk {
  mutable std::mutex mutex;
  std::shared_ptr<SimDirectory> root = std::make_shared<SimDirectory>();
  std::vector<SimNameOp> pending;  // un-synced, in order
  std::set<const SimFileNode*> locked;
  std::uint64_t generation = 0;
  bool dead = false;
  bool lying = false;
  std::uint64_t capacity = std::uint64_t{1} << 50;
  std::uint64_t used = 0;
  std::vector<SimFault> faults;
  std::array<std::uint64_t, kEffectKinds> counts{};
  SimFileSystem::EffectHook hook;

  struct Place {
    std::shared_ptr<SimDirectory> dir;
    std::string name;
    SimNode node;  // empty when the name is not there
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
  std::shared_ptr<SimDirectory> find_dir(const std::string& path) const;
  std::shared_ptr<SimFileNode> find_file(const std::string& path) const;
  void change_names(SimNameOp op);
  // Makes durable the wanted changes, what happened with them, and what happened to the same names before.
  void settle(const std::function<bool(const SimNameChange&)>& wanted);
  void power_cut(SimRandom& random);
  void start_again();
  Status write(SimFileNode& file, const std::string& path, std::uint64_t offset, ByteView data);
  void release(const SimFileNode& file) {
    if (file.links == 0 && file.handles == 0) used -= file.content.size();
  }

 private:
  void unlink(const SimNode& node);
  void drop_names(SimRandom& random);
};

// Copies a tree: content, names, and which names are hard links of the same file. The copy is durable: it
// holds what `from` has durably or, with `flushed`, all that was written.
std::shared_ptr<SimDirectory> copy_tree(const SimDirectory& from, bool flushed);

std::vector<std::string> split_sim_path(const std::string& path);
Error not_found_in_sim(const std::string& path);

}  // namespace tidegate
