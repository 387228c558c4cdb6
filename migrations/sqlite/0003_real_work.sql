CREATE TABLE `completion_tokens` (
	`digest` text PRIMARY KEY NOT NULL,
	`task` text NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`task`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `completion_tokens_task` ON `completion_tokens` (`task`);--> statement-breakpoint
DROP INDEX `tasks_open`;--> statement-breakpoint
ALTER TABLE `tasks` ADD `done_by` text DEFAULT 'handler' NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `due_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `lease_digest` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `lease_until` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `worker` text;--> statement-breakpoint
CREATE INDEX `tasks_for_workers` ON `tasks` (`task_type`,`due_at`) WHERE "status" = 'pending' and "done_by" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_for_workers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "done_by" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_leased` ON `tasks` (`lease_until`) WHERE "status" = 'running' and "lease_until" is not null;--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`status`,`done_by`,`created_at`) WHERE "status" in ('pending', 'running');