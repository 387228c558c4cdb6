import type { Announcement } from "../service/ports.ts";

export function levelOf(announcement: Announcement): "debug" | "info" | "warn" | "error" {
  switch (announcement.kind) {
    case "internal.failed":
      return "error";
    case "delivery.attempted":
      return announcement.next === "delivered" ? "info" : "warn";
    case "secrets.sealed":
      return announcement.unreadable > 0 ? "warn" : "info";
    case "callback.registered":
    case "task.started":
      return "debug";
    case "task.running":
    case "task.finished":
    case "delivery.sending":
    case "event.settled":
    case "inbox.received":
    case "work.reclaimed":
    case "http.request":
    case "history.pruned":
    case "callback.secret_rotated":
      return "info";
  }
}
