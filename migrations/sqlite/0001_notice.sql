ALTER TABLE `callbacks` ADD `failing_since` integer;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `last_error` text;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `last_delivery_at` integer;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `disabled_reason` text;--> statement-breakpoint
ALTER TABLE `callbacks` ADD `disabled_at` integer;--> statement-breakpoint
CREATE INDEX `callbacks_disabled` ON `callbacks` (`id`) WHERE "status" = 'disabled';--> statement-breakpoint
ALTER TABLE `tasks` ADD `event_count` integer DEFAULT 0 NOT NULL;