ALTER TABLE `tasks` ADD `start_after` integer;--> statement-breakpoint
ALTER TABLE `tasks` ADD `failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `tasks` ADD `progress` text;--> statement-breakpoint
CREATE INDEX `tasks_of_principal_by_status` ON `tasks` (`principal`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_for_handlers` ON `tasks` (`task_type`,`due_at`,`id`) WHERE "status" = 'pending' and "done_by" = 'handler';--> statement-breakpoint
CREATE INDEX `tasks_for_handlers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "done_by" = 'handler';