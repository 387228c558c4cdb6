CREATE INDEX `deliveries_event` ON `deliveries` (`event_id`);--> statement-breakpoint
CREATE INDEX `tasks_ended` ON `tasks` (`finished_at`,`id`) WHERE "finished_at" is not null;