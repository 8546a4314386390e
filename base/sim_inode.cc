// SPDX-License-Identifier: Apache-2.0
#include "base/sim_inode.h"

#include <algorithm>
#include <unordered_map>

#include "base/sim_env.h"

namespace tidegate {

std::uint8_t* SimInode::writable_chunk(std::size_t index) {
  if (index >= chunks_.size()) chunks_.resize(index + 1);
  std::shared_ptr<Chunk>& chunk = chunks_[index];
  if (chunk == nullptr) {
    chunk = std::make_shared<Chunk>();
  } else if (chunk.use_count() > 1) {
    chunk = std::make_shared<Chunk>(*chunk);
  }
  return chunk->data();
}

void SimInode::put(std::uint64_t offset, ByteView data) {
  size_ = std::max<std::uint64_t>(size_, offset + data.size());
  while (!data.empty()) {
    const std::size_t within = offset % kChunk;
    const std::size_t part = std::min(data.size(), kChunk - within);
    std::memcpy(writable_chunk(offset / kChunk) + within, data.data(), part);
    offset += part;
    data = data.subspan(part);
  }
}

// Bytes above the size are always zero, so that growing again shows zeros.
void SimInode::resize(std::uint64_t size) {
  if (size < size_) {
    const std::size_t keep = (size + kChunk - 1) / kChunk;
    if (keep < chunks_.size()) chunks_.resize(keep);
    if (size % kChunk != 0 && keep <= chunks_.size() && chunks_[keep - 1] != nullptr) {
      std::uint8_t* chunk = writable_chunk(keep - 1);
      std::fill(chunk + size % kChunk, chunk + kChunk, std::uint8_t{0});
    }
  }
  size_ = size;
}

std::size_t SimInode::read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  if (offset >= size_) return 0;
  const std::size_t total = std::min<std::uint64_t>(out.size(), size_ - offset);
  for (std::size_t done = 0; done < total;) {
    const std::uint64_t at = offset + done;
    const std::size_t part = std::min(total - done, kChunk - at % kChunk);
    const std::size_t index = at / kChunk;
    if (index < chunks_.size() && chunks_[index] != nullptr) {
      std::memcpy(out.data() + done, chunks_[index]->data() + at % kChunk, part);
    } else {
      std::memset(out.data() + done, 0, part);
    }
    done += part;
  }
  return total;
}

Bytes SimInode::copy_out(std::uint64_t offset, std::uint64_t length) const {
  if (offset >= size_) return {};
  Bytes out(std::min(length, size_ - offset));
  read(offset, out);
  return out;
}

void SimInode::write(std::uint64_t offset, ByteView data) {
  if (data.empty()) return;
  Change* last = log_.size() > kLongLog ? &log_.back() : nullptr;
  const bool continues = last != nullptr && !last->is_truncate && last->fate == Fate::kDirty &&
                         offset == size_ && last->offset + last->length == offset;
  if (continues) {
    last->length += data.size();
  } else {
    log_.push_back({false, Fate::kDirty, offset, data.size(), size_, copy_out(offset, data.size()), {}});
  }
  put(offset, data);
}

void SimInode::truncate(std::uint64_t size) {
  const std::uint64_t cut = size_ > size ? size_ - size : 0;
  log_.push_back({true, Fate::kDirty, size, 0, size_, copy_out(size, cut), {}});
  resize(size);
}

void SimInode::sync() {
  if (!lost_any_) return log_.clear();
  for (Change& change : log_) {
    if (change.fate == Fate::kDirty) change.fate = Fate::kSynced;
  }
}

void SimInode::lose_unsynced() {
  for (Change& change : log_) {
    if (change.fate != Fate::kDirty) continue;
    change.fate = Fate::kLost;
    lost_any_ = true;
  }
}

void SimInode::flip_bit(std::uint64_t offset, unsigned bit) {
  writable_chunk(offset / kChunk)[offset % kChunk] ^= static_cast<std::uint8_t>(1U << (bit % 8));
}

// Decides what of the un-synced changes reached the medium.
struct SimInode::Survival {
  SimRandom* random;     // nullptr: nothing did
  std::size_t entries;   // in the log
  std::size_t metadata;  // changes before this one have set the size
  std::size_t
      first_missing;  // the first truncation that did not happen; later writes went to blocks never attached
  unsigned kept_percent = 0;  // of the sectors, those with their newest version
  std::unordered_map<std::uint64_t, std::size_t> version{};

  // Each sector was last written out at some moment, between two changes.
  bool has(std::uint64_t sector, std::size_t index) {
    if (random == nullptr || index > first_missing) return false;
    const auto [it, is_new] = version.try_emplace(sector, 0);
    if (is_new) it->second = random->below(100) < kept_percent ? entries : random->below(entries + 1);
    return index < it->second;
  }
};

void SimInode::undo(Change& change) {
  if (!change.is_truncate) change.after = copy_out(change.offset, change.length);
  resize(std::min(size_, change.old_size));
  put(change.offset, change.before);
  resize(change.old_size);
}

void SimInode::redo(const Change& change, std::size_t index, Survival& survival) {
  const bool happened = index < survival.metadata && change.fate != Fate::kLost;
  if (change.is_truncate) {
    if (happened) resize(change.offset);
    return;
  }
  const std::uint64_t end = change.offset + change.length;
  if (happened) resize(std::max(size_, end));
  if (change.fate == Fate::kSynced) return put(change.offset, change.after);
  if (change.fate == Fate::kLost) return;
  for (std::uint64_t at = change.offset; at < end;) {
    const std::uint64_t sector = at / kSector;
    const std::uint64_t next = std::min(end, (sector + 1) * kSector);
    if (survival.has(sector, index)) {
      put(at, ByteView(change.after).subspan(at - change.offset, next - at));
    }
    at = next;
  }
}

void SimInode::lose_power(SimRandom* random) {
  if (log_.empty()) return;
  const std::size_t entries = log_.size();
  std::size_t durable = entries;  // changes up to the last synced one are decided
  while (durable > 0 && log_[durable - 1].fate != Fate::kSynced) --durable;
  Survival survival{random, entries, durable, entries};
  if (random != nullptr) {
    static constexpr unsigned kPercent[] = {0, 5, 50, 95, 100};
    survival.kept_percent = kPercent[random->below(std::size(kPercent))];
    const std::size_t undecided = entries - durable;
    survival.metadata = random->chance(1, 3) ? entries : durable + random->below(undecided + 1);
  }
  for (std::size_t i = entries; i > 0; --i) undo(log_[i - 1]);
  for (std::size_t i = survival.metadata; i < entries; ++i) {
    if (log_[i].is_truncate) {
      survival.first_missing = i;
      break;
    }
  }
  std::uint64_t size = size_;
  for (std::size_t i = 0; i < entries; ++i) {
    const Change& change = log_[i];
    if (i < survival.metadata && change.fate != Fate::kLost) {
      size = change.is_truncate ? change.offset : std::max(size, change.offset + change.length);
    } else if (i == survival.metadata && random != nullptr && !change.is_truncate &&
               change.fate == Fate::kDirty && random->chance(1, 2)) {
      const std::uint64_t torn = (change.offset + random->below(change.length + 1)) / kSector * kSector;
      size = std::max(size, torn);
    }
    redo(change, i, survival);
  }
  resize(size);
  log_.clear();
  lost_any_ = false;
}

}  // namespace tidegate
