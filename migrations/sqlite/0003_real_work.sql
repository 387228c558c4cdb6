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
ALTER TABLE `tasks` ADD `start_after` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `progress` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `lease_digest` text;--> statement-breakpoint
ALTER TABLE `tasks` ADD `lease_until` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `worker` text;--> statement-breakpoint
CREATE INDEX `tasks_of_principal_by_status` ON `tasks` (`principal`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_for_handlers` ON `tasks` (`task_type`,`due_at`,`id`) WHERE "status" = 'pending' and "done_by" = 'handler';--> statement-breakpoint
CREATE INDEX `tasks_for_handlers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "done_by" = 'handler';--> statement-breakpoint
CREATE INDEX `tasks_for_workers` ON `tasks` (`task_type`,`due_at`) WHERE "status" = 'pending' and "done_by" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_for_workers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "done_by" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_leased` ON `tasks` (`lease_until`) WHERE "status" = 'running' and "lease_until" is not null;--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`status`,`done_by`,`created_at`) WHERE "status" in ('pending', 'running');